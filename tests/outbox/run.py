"""Kills processes that share one outbox, and checks that no update is lost or out of order.

Usage: run.py [--kills N | --minutes M] [--seed N] NODE_FOLDER

NODE_FOLDER has the npm package installed, this interpreter has the wheel, DIST has the PHP package,
and RECEIVER is the tests' server. See README.md in this folder.
"""

import argparse
import collections
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import delivery
import katalys

HERE = Path(__file__).resolve().parent
DIST = Path(os.environ["DIST"])
CONCURRENT = 6
MODES = ["deliver", "deliver", "write", "wait", "fork"]
STEPS = [
    "204", "204", "204", "503", "reset-before", "reset-after", "close", "200", "302",
    "429:retry-after=1", "slow=300", "hang", "truncated", "garbage",
]  # fmt: skip


class Recorder:
    """Collects what the receiver records, before the receiver drops old records."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.seen = 0
        self.received = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.keep_reading)
        self.thread.start()

    def keep_reading(self):
        while not self.stop.wait(0.5):
            self.read()

    def read(self):
        records = [r for r in self.receiver.records() if r["number"] > self.seen]
        records.sort(key=lambda record: record["number"])
        if records:
            assert records[0]["number"] == self.seen + 1 or self.seen == 0, "records were dropped"
            self.seen = records[-1]["number"]
        self.received.extend(delivery.delivered(records))

    def close(self):
        self.stop.set()
        self.thread.join()


class Child:
    """A process in its own group, so that its forked children are killed with it."""

    def __init__(self, number, folder, receiver, node):
        self.language = random.choice(["python", "node", "php"])
        modes = MODES if self.language == "python" else MODES[:-1]
        self.mode = random.choice(modes)
        steps = [*random.choices(STEPS, k=40), "204"]
        endpoint = receiver.endpoint(f"kill-{number}", steps)
        self.output = folder / f"tickets-{number}"
        name = f"{self.language}-{number}"
        command = [*self.command(node), folder / "outbox.db", endpoint, name, self.mode]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                list(map(str, command)), stdout=output, start_new_session=True, cwd=node,
                env=os.environ | {"KATALYS_PHP_AUTOLOAD": str(DIST / "php/autoload.php")},
            )  # fmt: skip
        self.dies_at = time.monotonic() + random.uniform(0.15, 1.2)

    def command(self, node):
        if self.language == "node":
            return ["node", node / "child.mjs"]
        if self.language == "php":
            return [*changed_clock(), "php", "-d", "ffi.enable=1", HERE / "child.php"]
        return [*changed_clock(), sys.executable, HERE / "child.py"]

    def check(self):
        assert self.process.poll() is None, f"{self.language} ({self.mode}) exited by itself"

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def tickets(self):
        """Number, order and note of each ticket it printed; the last line may be incomplete."""
        for line in self.output.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                number, order, note = line.split()
                yield int(number), order, note


def changed_clock():
    """Some processes have a wall clock that is years off; the time since boot is not changed."""
    faketime = ["faketime", "--exclude-monotonic", "-f"]
    return random.choice([[], [*faketime, "-9y"], [*faketime, "+9y"]])


def kill_many(is_enough, folder, receiver, node):
    children, tickets, kills = [], [], collections.Counter()
    try:
        while not is_enough(kills.total()):
            while len(children) < CONCURRENT:
                number = kills.total() + len(children)
                children.append(Child(number, folder, receiver, node))
            child = min(children, key=lambda child: child.dies_at)
            time.sleep(max(0, child.dies_at - time.monotonic()))
            child.check()
            children.remove(child)
            child.kill()
            kills[child.language] += 1
            tickets.extend(child.tickets())
    finally:
        for child in children:
            child.kill()
    for child in children:
        tickets.extend(child.tickets())
    return tickets, kills


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("node", type=lambda path: Path(path).resolve())
    return parser.parse_args()


def main():
    given = arguments()
    print(f"seed {given.seed}")
    random.seed(given.seed)
    end = time.monotonic() + 60 * given.minutes if given.minutes else None
    shutil.copy(HERE / "child.mjs", given.node)

    def is_enough(kills):
        return time.monotonic() > end if end else kills >= given.kills

    # On the disk of the sources, since the system's temporary folder may be in memory.
    with (
        contextlib.closing(delivery.Receiver()) as receiver,
        contextlib.closing(Recorder(receiver)) as recorder,
        tempfile.TemporaryDirectory(dir=HERE) as folder,
    ):
        tickets, kills = kill_many(is_enough, Path(folder), receiver, given.node)
        file, endpoint = str(Path(folder) / "outbox.db"), receiver.endpoint("rest")
        client = katalys.Client("abcd.com", outbox=file, endpoint=endpoint, on_rejected="hold")
        stats = delivery.drain(client)
        recorder.read()
        distinct = delivery.check_order(tickets, recorder.received)
        client.close()
    assert stats.accepted == stats.delivered, stats
    assert stats.pending == stats.dead == 0, stats
    assert len(tickets) <= distinct == stats.accepted, (len(tickets), distinct, stats)
    requests = len(recorder.received)
    print(f"killed {dict(kills)}; {len(tickets)} tickets; {requests} requests; {stats}")
    print("1 passed, 0 failed")


main()
