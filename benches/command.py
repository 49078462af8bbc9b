"""Measures the command: `command.py PROGRAM BENCH URL` prints one row as JSON per line.

PROGRAM is the command, BENCH the benchmark of the core, URL an endpoint that answers 204.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = 1_000_000
SENT = 100_000
ROUNDS = 3
COLUMNS = (
    "order_id,order_status,order_time,sale_amount,subtotal_amount,shipping_amount,tax_amount,"
    "currency,email_address,ip_address,shipping_city,shipping_state,shipping_postal,"
    "shipping_country,discount_1_code,discount_1_amount,line_item_1_title,line_item_1_sku,"
    "line_item_1_price,line_item_1_qty,order_count"
)
ENVIRONMENT = os.environ | {"KATALYS_SITE_ID": "abcd.com"}


def main(program: str, bench: str, url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        many, some = orders(work / "many.csv", ROWS), orders(work / "some.csv", SENT)
        row("command, stripped", Path(program).stat().st_size / 1e6, 12, "the limit", "MB", "<= 12")
        row("katalys --version", version(program), 5, "the limit", "ms", "<= 5 ms")
        for what, arguments in {
            "validate": ("validate", many),
            "backfill --dry-run": ("backfill", "--dry-run", many),
        }.items():
            rate, memory = check(program, *arguments)
            name = f"{what}, {ROWS:,} rows of 21 columns"
            row(f"{name}, of one core", rate, 300_000, "the limit", "/s", ">= 300,000")
            row(f"{name}, memory", memory, 64, "the limit", "MB", "<= 64 MB")
        ours, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(float(output(bench, "send", url, "", "2")))
            ours.append(SENT / seconds(program, "backfill", "--restart", some, "--endpoint", url))
        rates = statistics.median(ours), statistics.median(theirs)
        row("backfill, with all it does", *rates, "8 threads of the core", "/s", ">= 0.67")


def orders(path: Path, count: int) -> Path:
    """Writes paid orders, one second apart."""
    with path.open("w") as file:
        print(COLUMNS, file=file)
        for number in range(count):
            day, hour = 1 + number // 86_400, number // 3600 % 24
            clock = f"{hour:02}:{number // 60 % 60:02}:{number % 60:02}"
            print(
                f"{100_000 + number},paid,2020-01-{day:02} {clock}-08:00,25.67,19.20,4.99,1.48,USD,"
                f"customer{number}@example.com,93.184.215.14,Springfield,OR,97477,US,"
                "REVOFFERS_EXAMPLE,1.50,Wellness Bundle #4,WLNS_BUNDLE_4,1.99,2,2",
                file=file,
            )
    return path


def version(program: str) -> float:
    """The median time of `--version`, in milliseconds."""
    return statistics.median(seconds(program, "--version") for _ in range(51)) * 1000


def check(program: str, *arguments) -> tuple[float, float]:
    """Rows per second of processor time, because other processes may use the processor too; and
    megabytes, which include this program's size before it executes the command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output(program, *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return ROWS / used, after.ru_maxrss / 1000


def seconds(*command) -> float:
    started = time.perf_counter()
    output(*command)
    return time.perf_counter() - started


def output(*command) -> str:
    done = subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True, env=ENVIRONMENT
    )
    return done.stdout


def row(what: str, ours: float, theirs: float, other: str, unit: str, goal: str) -> None:
    shown = {"what": what, "ours": ours, "theirs": theirs, "other": other, "unit": unit,
             "ratio": round(ours / theirs, 2), "goal": goal}  # fmt: skip
    print(json.dumps(shown), flush=True)


main(*sys.argv[1:])
