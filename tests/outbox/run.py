"""Kills processes that share one outbox, and checks that nothing is lost or out of order.

Usage: run.py [--kills N | --minutes M] [--seed N] NODE_FOLDER

The npm package is installed in NODE_FOLDER, the wheel in this interpreter; DIST has the PHP
package, RECEIVER is the tests' server. README.md in this folder describes the test.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import katalys

HERE = Path(__file__).resolve().parent
DIST = Path(os.environ["DIST"])
AT_ONCE = 6
MODES = ["deliver", "deliver", "write", "wait", "fork"]
STEPS = [
    "204", "204", "204", "503", "reset-before", "reset-after", "close", "200", "302",
    "429:retry-after=1", "slow=300", "hang", "truncated", "garbage",
]  # fmt: skip


class Receiver:
    """The tests' server, and all updates that it has received."""

    def __init__(self):
        command = [os.environ["RECEIVER"]]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = json.loads(self.process.stdout.readline())
        self.seen = 0
        self.received = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.keep_reading)
        self.thread.start()

    def keep_reading(self):
        while not self.stop.wait(0.5):
            self.read()

    def read(self):
        with urllib.request.urlopen(self.ready["control"] + "/_recorded") as answer:
            records = [record for record in json.load(answer) if record["number"] > self.seen]
        for record in sorted(records, key=lambda record: record["number"]):
            assert record["number"] == self.seen + 1 or self.seen == 0, "not read fast enough"
            self.seen = record["number"]
            if record["step"] == "204" or record["step"].startswith("slow="):
                body = json.loads(record["body"])
                self.received.append((body["order_id"], body["note"]))

    def endpoint(self, run, steps):
        return f"{self.ready['url']}/run/{run}/{'/'.join(steps)}"

    def close(self):
        self.stop.set()
        self.thread.join()
        self.process.stdin.close()
        self.process.wait()


class Child:
    """A process in its own group, so that its children are killed with it."""

    def __init__(self, number, folder, receiver, node):
        self.language = random.choice(["python", "node", "php"])
        modes = MODES if self.language == "python" else MODES[:-1]
        self.mode = random.choice(modes)
        steps = [*random.choices(STEPS, k=40), "204"]
        endpoint = receiver.endpoint(f"kill-{number}", steps)
        self.said = folder / f"said-{number}"
        name = f"{self.language}-{number}"
        command = [*self.command(node), folder / "outbox.db", endpoint, name, self.mode]
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                list(map(str, command)), stdout=said, start_new_session=True, cwd=node,
                env=os.environ | {"KATALYS_PHP_AUTOLOAD": str(DIST / "php/autoload.php")},
            )  # fmt: skip
        self.dies_at = time.monotonic() + random.uniform(0.15, 1.2)

    def command(self, node):
        if self.language == "node":
            return ["node", node / "child.mjs"]
        if self.language == "php":
            return [*other_time(), "php", "-d", "ffi.enable=1", HERE / "child.php"]
        return [*other_time(), sys.executable, HERE / "child.py"]

    def check(self):
        assert self.process.poll() is None, f"{self.language} ({self.mode}) ended by itself"

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def tickets(self):
        """The tickets that the process received; the last line may be incomplete."""
        for line in self.said.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                number, order, note = line.split()
                yield int(number), order, note


def other_time():
    """Sets the wall clock of some processes years back or ahead, but not their time since boot."""
    faketime = ["faketime", "--exclude-monotonic", "-f"]
    return random.choice([[], [*faketime, "-9y"], [*faketime, "+9y"]])


def kill_many(enough, folder, receiver, node):
    children, tickets, kills = [], [], collections.Counter()
    try:
        while not enough(kills.total()):
            while len(children) < AT_ONCE:
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


def deliver_the_rest(client):
    """An update that was interrupted three times holds its order until it is replayed."""
    deadline = time.monotonic() + 180
    while True:
        left = client.flush(1)
        letters = client.dead_letters()
        for letter in letters:
            assert letter.code == "interrupted", letter
            client.replay(letter.id)
        if left == 0 and not letters:
            return
        assert time.monotonic() < deadline, client.stats()


def check(tickets, received):
    accepted = collections.defaultdict(list)
    for _, order, note in sorted(tickets):
        accepted[order].append(note)
    arrived = collections.defaultdict(list)
    for order, note in received:
        if arrived[order][-1:] != [note]:  # Once more is allowed, later is not.
            arrived[order].append(note)
    for order, notes in accepted.items():
        known = set(notes)
        came = [note for note in arrived[order] if note in known]
        missing = known - set(came)
        assert not missing, f"{order}: lost {sorted(missing)}"
        assert came == notes, f"{order}: out of order"
    return sum(map(len, accepted.values())), sum(map(len, arrived.values()))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--kills", type=int, default=200)
    arguments.add_argument("--minutes", type=float)
    arguments.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments.add_argument("node", type=lambda path: Path(path).resolve())
    given = arguments.parse_args()
    print(f"seed {given.seed}")
    random.seed(given.seed)
    end = time.monotonic() + 60 * given.minutes if given.minutes else None
    shutil.copy(HERE / "child.mjs", given.node)
    receiver = Receiver()
    # On a disk: the system's temporary folder may be in memory.
    with contextlib.closing(receiver), tempfile.TemporaryDirectory(dir=HERE) as folder:

        def enough(kills):
            return time.monotonic() > end if end else kills >= given.kills

        tickets, kills = kill_many(enough, Path(folder), receiver, given.node)
        file, endpoint = str(Path(folder) / "outbox.db"), receiver.endpoint("rest", ["204"])
        client = katalys.Client("abcd.com", outbox=file, endpoint=endpoint, on_rejected="hold")
        deliver_the_rest(client)
        receiver.read()
        given_tickets, distinct = check(tickets, receiver.received)
        counters = client.stats()
        client.close()
    assert counters.accepted == counters.delivered, counters
    assert counters.pending == counters.dead == 0, counters
    assert given_tickets <= distinct == counters.accepted, (given_tickets, distinct, counters)
    print(
        f"killed {dict(kills)}; {given_tickets} tickets; {len(receiver.received)} requests; "
        f"{counters}"
    )
    print("1 passed, 0 failed")


main()
