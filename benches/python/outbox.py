"""Compares durable enqueues with the queues that a Python shop would otherwise use. Prints one JSON
object per line.

Usage: outbox.py [seconds-per-measurement]

All of them write to files in one folder on the disk of this file, and no process delivers.
"""

import itertools
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import katalys
from bench import in_turns, report
from litequeue import LiteQueue
from order import ORDER
from persistqueue import FIFOSQLiteQueue

PRODUCERS = 8


class Files:
    """Every measured queue starts with an empty file."""

    def __init__(self, folder):
        self.paths = (Path(folder) / str(number) for number in itertools.count())

    def ours(self, durability):
        path = next(self.paths)
        path.mkdir()
        client = katalys.Client(
            "abcd.com", outbox=str(path / "outbox.db"), durability=durability, deliver=False
        )
        return lambda number: client.enqueue_update(number, ORDER)

    def persist_queue(self):
        queue = FIFOSQLiteQueue(str(next(self.paths)), multithreading=True, auto_commit=True)
        return lambda number: queue.put({"site_id": "abcd.com", "order_id": str(number), **ORDER})

    def lite_queue(self):
        queue = LiteQueue(str(next(self.paths)))

        def put(number):
            queue.put(json.dumps({"site_id": "abcd.com", "order_id": str(number), **ORDER}))

        return put


def rate(put, producers, seconds):
    """Enqueues per second with `producers` threads."""
    done = [0] * producers
    end = time.perf_counter() + seconds

    def produce(producer):
        while time.perf_counter() < end:
            put(f"{producer}-{done[producer]}")
            done[producer] += 1

    threads = [threading.Thread(target=produce, args=(each,)) for each in range(producers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - started)


def main(seconds):
    folder = Path(tempfile.mkdtemp(dir=Path(__file__).parent))
    try:
        files = Files(folder)
        compare(files, "full", files.persist_queue, 1, "persist-queue", ">= 1.2", seconds)
        compare(files, "full", files.persist_queue, PRODUCERS, "persist-queue", ">= 4.5", seconds)
        compare(files, "normal", files.lite_queue, 1, "litequeue", ">= 2", seconds)
    finally:
        shutil.rmtree(folder)


def compare(files, durability, theirs, producers, other, goal, seconds):
    def measure(make):
        return lambda: rate(make(), producers, seconds)

    results = in_turns(measure(lambda: files.ours(durability)), measure(theirs))
    who = "one producer" if producers == 1 else f"{producers} threads"
    what = f"durable enqueue, {durability.upper()}, {who}"
    report(what, *results, f"{other}, {who}", "updates/s", goal)


if __name__ == "__main__":
    for name in ("KATALYS_ENDPOINT", "KATALYS_TIMEOUT", "KATALYS_SITE_ID", "KATALYS_OUTBOX"):
        os.environ.pop(name, None)
    main(float(sys.argv[1]) if len(sys.argv) == 2 else 1.0)
