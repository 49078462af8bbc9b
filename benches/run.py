"""Runs all benchmarks against one nginx that answers 204, and prints one table.

Usage: run.py [seconds-per-measurement] [sizes|rust|python|node|php|outbox ...]

The candidates take turns within one run, and their medians are compared: on a shared machine, rates
vary by 10 to 15 per cent within minutes.
"""

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = Path(os.environ.get("DIST", ROOT / "dist"))
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PLAIN, TLS = "http://127.0.0.1:18080/", "https://localhost:18443/"
ROUNDS = 5

NGINX = """
worker_processes auto;
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work};
  uwsgi_temp_path {work}; scgi_temp_path {work};
  server {{ listen 127.0.0.1:18080; location / {{ return 204; }} }}
  server {{
    listen 127.0.0.1:18443 ssl;
    ssl_certificate {work}/cert.pem; ssl_certificate_key {work}/key.pem;
    location / {{ return 204; }}
  }}
}}
"""

WRK = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = string.rep("x", 350)
"""


def main(arguments: list[str]) -> None:
    seconds = arguments.pop(0) if arguments and re.fullmatch(r"[\d.]+", arguments[0]) else "1"
    wanted = arguments or ["sizes", "rust", "python", "node", "php", "outbox", "command"]
    # Settings of the developer's environment must not affect the measurements.
    for name in ("SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as ca_file:
        benches = {"sizes": sizes, "rust": rust, "python": python, "node": node, "php": php,
                   "outbox": outbox, "command": command}  # fmt: skip
        show_head()
        for name in wanted:
            for row in benches[name](ca_file, seconds):
                show(row)


@contextlib.contextmanager
def server(work: Path):
    certificate = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
        "-addext", "basicConstraints=critical,CA:FALSE",
        "-keyout", work / "key.pem", "-out", work / "cert.pem",
    ]  # fmt: skip
    subprocess.run(certificate, check=True, capture_output=True)
    (work / "nginx.conf").write_text(NGINX.format(work=work))
    (work / "post.lua").write_text(WRK)
    command = ["nginx", "-e", work / "error.log", "-c", work / "nginx.conf", "-g", "daemon off;"]
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
    work.chmod(0o755)
    process = subprocess.Popen(command, env=environment)
    try:
        wait_until_it_answers(process)
        yield work / "cert.pem"
    finally:
        process.terminate()
        process.wait()


def wait_until_it_answers(process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            urllib.request.urlopen(PLAIN, timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("nginx did not start; are ports 18080 and 18443 free?") from None
            time.sleep(0.05)


def sizes(_ca_file: Path, _seconds: str):
    library = (DIST / "c/lib/libkatalys.so").stat().st_size / 1e6
    wheel = next(DIST.glob("katalys-*.whl")).stat().st_size / 1e6
    yield row("library with the outbox, stripped", library, 3.7, "the limit", "MB", "<= 3.7 MB")
    yield row("wheel with the outbox", wheel, 1.5, "the limit without it", "MB", "")


def row(what, ours, theirs, other, unit, goal):
    ratio = ours / theirs
    return {"what": what, "ours": ours, "theirs": theirs, "other": other, "unit": unit,
            "ratio": round(ratio, 2), "goal": goal}  # fmt: skip


def rust(ca_file: Path, seconds: str):
    bench = rust_bench()
    for name, url, goal in (("plain", PLAIN, ">= 0.58"), ("TLS", TLS, ">= 0.65")):
        what = f"waiting update_order, 8 threads of the core, {name}"
        send = (bench, "send", url, ca_file if url == TLS else "", seconds)
        yield beside_wrk(what, send, url, ca_file.parent, seconds, goal)
    check = float(output(bench, "check"))
    yield row("check of 20 fields, core alone", check / 1000, 1, "-", "µs", "")


def rust_bench() -> Path:
    build = ["cargo", "build", "-q", "--release", "-p", "katalys-bench"]
    subprocess.run(build, cwd=ROOT, check=True)
    return TARGET / "release/katalys-bench"


def beside_wrk(what, command, url, work: Path, seconds: str, goal: str):
    ours, theirs = [], []
    for turn in range(ROUNDS + 1):
        rate = output(*command)
        limit = output("wrk", "-t2", "-c8", f"-d{max(1, round(float(seconds)))}",
                       "-s", work / "post.lua", url)  # fmt: skip
        if turn > 0:  # The first one warms up.
            ours.append(float(rate))
            theirs.append(float(re.search(r"Requests/sec:\s+([\d.]+)", limit)[1]))
    medians = statistics.median(ours), statistics.median(theirs)
    return row(what, *medians, "wrk, 8 connections", "/s", goal)


def outbox(ca_file: Path, seconds: str):
    bench, work = rust_bench(), ca_file.parent
    what = "backlog of 100,000, from claim to settlement, FULL"
    yield beside_wrk(what, (bench, "drain", PLAIN, 100_000), PLAIN, work, seconds, ">= 0.2")
    for part in (("idle",), ("stalls", PLAIN), ("failing",), ("backlogs", PLAIN)):
        yield from json_lines(bench, *part)
    install_wheel()
    yield from json_lines(sys.executable, ROOT / "benches/python/outbox.py", seconds)
    yield from json_lines("node", node_folder() / "outbox.js", seconds)


def command(_ca_file: Path, _seconds: str):
    script = ROOT / "benches/command.py"
    yield from json_lines(sys.executable, script, DIST / "katalys", rust_bench(), PLAIN)


def output(*command) -> str:
    return subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True
    ).stdout


def python(ca_file: Path, seconds: str):
    install_wheel()
    yield from lines(ca_file, seconds, sys.executable, ROOT / "benches/python/bench.py")


def install_wheel():
    wheel = next(DIST.glob("katalys-*.whl"))
    install = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check",
               "--no-index", "--no-deps", "--force-reinstall", wheel]  # fmt: skip
    subprocess.run(install, check=True)


def node(ca_file: Path, seconds: str):
    yield from lines(ca_file, seconds, "node", node_folder() / "bench.js")


def node_folder() -> Path:
    folder = ROOT / "benches/node"
    if not (folder / "node_modules/better-sqlite3/build/Release/better_sqlite3.node").is_file():
        install_for_node(folder)
    return folder


def install_for_node(folder: Path):
    """Only better-sqlite3 may run scripts, because it is compiled from source."""
    quiet = ["--silent", "--no-audit", "--no-fund"]
    subprocess.run(["npm", "ci", "--ignore-scripts", *quiet], cwd=folder, check=True)
    modules = Path(output("npm", "root", "-g").strip())
    headers = Path(shutil.which("node")).resolve().parent.parent
    gyp = ["node", modules / "npm/node_modules/node-gyp/bin/node-gyp.js", "rebuild", "--release",
           f"--nodedir={headers}", "--silent"]  # fmt: skip
    subprocess.run(gyp, cwd=folder / "node_modules/better-sqlite3", check=True, capture_output=True)


def php(ca_file: Path, seconds: str):
    opcache = ["-d", "ffi.enable=1", "-d", "opcache.enable_cli=1"]
    yield from lines(ca_file, seconds, "php", *opcache, ROOT / "benches/php/bench.php")


def lines(ca_file: Path, seconds: str, *command):
    yield from json_lines(*command, PLAIN, TLS, ca_file, seconds)


def json_lines(*command):
    arguments = list(map(str, command))
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            yield json.loads(line)
    if process.returncode:
        raise SystemExit(f"{command[-1]} failed")


def show_head() -> None:
    print("| what | ours | theirs | | ratio | goal |")
    print("|---|---|---|---|---|---|", flush=True)


def show(row: dict) -> None:
    ours, theirs = (quantity(row[key], row["unit"]) for key in ("ours", "theirs"))
    cells = [row["what"], ours, theirs, row["other"], row["ratio"], row["goal"]]
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def quantity(number: float, unit: str) -> str:
    return f"{number:,.4g} {unit}" if number < 1000 else f"{number:,.0f} {unit}"


main(sys.argv[1:])
