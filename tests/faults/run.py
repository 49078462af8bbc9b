"""Tests outboxes on a failing disk whose processes are killed: no update with a ticket may be lost.

Usage: run.py [--runs N] [--seconds S] [--seed N]

The interpreter is that of VENV, with the package; BUILD has the shim and the C programs; RECEIVER
is the tests' server. README.md in this folder describes the test.
"""

import argparse
import collections
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import katalys

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ["BUILD"])
RATES = {"EIO": 0.01, "ENOSPC": 0.01, "SHORT": 0.01, "FSYNC": 0.005}
NAMES = {"outbox.db", "outbox.db-wal", "outbox.db-shm", "outbox.db-reserve"}


class Receiver:
    def __init__(self):
        command = [os.environ["RECEIVER"]]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = json.loads(self.process.stdout.readline())

    def endpoint(self, run):
        return f"{self.ready['url']}/run/{run}/204"

    def received(self, run):
        """Order and note of each request, in order of arrival."""
        with urllib.request.urlopen(f"{self.ready['control']}/_recorded/{run}") as answer:
            records = json.load(answer)
        bodies = [json.loads(record["body"]) for record in records if record["body"]]
        return [(body["order_id"], body["note"]) for body in bodies if "note" in body]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def environment(file, **faults):
    shim = {"LD_PRELOAD": str(BUILD / "faults.so"), "KATALYS_FAULT_PATH": str(file)}
    return os.environ | shim | {f"KATALYS_FAULT_{key}": str(value) for key, value in faults.items()}


class Writer:
    """A slot for a writer; a killed writer is replaced by the next."""

    def __init__(self, name, command, mode, folder, endpoint):
        self.name, self.command, self.mode = name, command, mode
        self.folder, self.endpoint = folder, endpoint
        self.logs, self.process, self.dies_at = [], None, 0.0

    def start(self):
        number = len(self.logs)
        log = self.folder / "logs" / f"{self.name}-{number}"
        self.logs.append(log)
        file = self.folder / "outbox.db"
        arguments = [file, self.endpoint, f"{self.name}-{number}", self.mode, log]
        env = environment(
            file, SEED=random.randrange(1 << 30), SAID=self.folder / "logs/said", **RATES
        )
        self.process = subprocess.Popen([*self.command, *map(str, arguments)], env=env)
        self.dies_at = time.monotonic() + random.uniform(0.4, 2.0)

    def kill(self):
        if self.process:
            assert self.process.poll() is None, f"{self.name} ended by itself"
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def said(self):
        for log in self.logs:
            if log.exists():
                yield from log.read_text().splitlines()


def write(writers, seconds):
    end = time.monotonic() + seconds
    for writer in writers:
        writer.start()
    try:
        while time.monotonic() < end:
            writer = min(writers, key=lambda writer: writer.dies_at)
            time.sleep(max(0, writer.dies_at - time.monotonic()))
            writer.kill()
            writer.start()
    finally:
        for writer in writers:
            writer.kill()


def drain(client):
    deadline = time.monotonic() + 120
    while True:
        left = client.flush(1)
        letters = client.dead_letters()
        for letter in letters:
            assert letter.code == "interrupted", letter
            client.replay(letter.id)
        if left == 0 and not letters:
            return client.stats()
        assert time.monotonic() < deadline, client.stats()


def check(said, received, stats):
    codes = {line.split()[1] for line in said if line.startswith("error ")}
    assert codes <= {"outbox_failed"}, f"a failing disk is not {codes - {'outbox_failed'}}"
    tickets = [line.split()[1:] for line in said if line.startswith("ticket ")]
    numbers = [int(number) for number, _, _ in tickets]
    assert len(set(numbers)) == len(numbers), "a number was given twice"
    accepted = collections.defaultdict(list)
    for _, order, note in sorted(tickets, key=lambda ticket: int(ticket[0])):
        accepted[order].append(note)
    arrived = collections.defaultdict(list)
    for order, note in received:
        if arrived[order][-1:] != [note]:  # Once more is allowed, later is not.
            arrived[order].append(note)
    for order, notes in accepted.items():
        known = set(notes)
        came = [note for note in arrived[order] if note in known]
        assert not known - set(came), f"{order}: lost {sorted(known - set(came))}"
        assert came == notes, f"{order}: out of order"
    distinct = len({note for _, note in received})
    assert stats.accepted == stats.delivered == distinct, (stats, distinct)
    assert stats.pending == stats.dead == stats.discarded == 0, stats
    return len(tickets), codes


def kill_writers(number, seconds, receiver):
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        folder = Path(folder)
        (folder / "logs").mkdir()
        endpoint = receiver.endpoint(f"faults-{number}")
        python = [sys.executable, HERE / "writer.py"]
        writers = [
            Writer("python", python, "write", folder, endpoint),
            Writer("sender", python, "deliver", folder, endpoint),
            Writer("c", [BUILD / "writer"], "write", folder, endpoint),
        ]
        write(writers, seconds)
        said = [line for writer in writers for line in writer.said()]
        file = str(folder / "outbox.db")
        client = katalys.Client("abcd.com", outbox=file, endpoint=endpoint)
        stats = drain(client)
        client.close()
        names = {path.name for path in folder.iterdir() if path.is_file()}
        assert names <= NAMES, f"other files appeared: {names - NAMES}"
        tickets, codes = check(said, receiver.received(f"faults-{number}"), stats)
        kills = sum(len(writer.logs) for writer in writers)
        faults = (folder / "logs/said").stat().st_size
        assert min(faults, tickets) > 0, (faults, tickets)
    print(
        f"run {number}: {tickets} tickets, {kills} kills, {faults} faults, {codes or 'no errors'}"
    )


@contextlib.contextmanager
def outbox_of_five(is_killed):
    """An outbox with five updates: closed, or with a log as a killed process leaves it."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        file, left = Path(folder) / "outbox.db", Path(folder) / "left"
        client = katalys.Client("abcd.com", outbox=str(file), deliver=False)
        for number in range(5):
            client.enqueue_update(f"order-{number}", order_count=1)
        if is_killed:
            left.mkdir()
            for name in NAMES:
                shutil.copy(file.parent / name, left / name)
            file = left / "outbox.db"
        client.close()
        yield file


def one_read_fails_at_opening():
    """If any single read of the main file fails, the error is an I/O error, no file is renamed, and
    the next attempt succeeds."""
    failed = 0
    for number, is_killed in itertools.product(range(1, 13), [False, True]):
        with outbox_of_five(is_killed) as file:
            faults = BUILD / f"said-{number}"
            faults.unlink(missing_ok=True)
            done = subprocess.run(
                [sys.executable, HERE / "opener.py", file],
                env=environment(file, PREAD=number, SAID=faults),
                capture_output=True, text=True, check=True, timeout=60,
            )  # fmt: skip
            said = json.loads(done.stdout)
            names = {path.name for path in file.parent.iterdir()}
            assert names <= NAMES, f"read {number}: {names}"
            errors = [result for result in said if "code" in result]
            error = {"code": "outbox_failed", "retryable": True}
            assert errors in ([], [error]), f"read {number}: {said}"
            assert [result for result in said if "code" not in result] == [{"pending": 5}] * (
                len(said) - len(errors)
            ), f"read {number}: {said}"
            failed += len(errors)
            assert faults.read_bytes() == b"x", f"there is no read {number}"
            faults.unlink()
    assert failed > 0, "no read that failed was noticed"
    print(f"one failing read at opening: {failed} of 24 noticed, nothing lost or renamed")


def a_failed_fsync_acknowledges_nothing():
    program = (
        "import sys, katalys\n"
        "client = katalys.Client('abcd.com', outbox=sys.argv[1], deliver=False)\n"
        "try:\n"
        "    print(client.enqueue_update('1', order_count=2).id)\n"
        "except katalys.OutboxError as error:\n"
        "    print(error.code)\n"
    )
    with outbox_of_five(False) as file:
        done = subprocess.run(
            [sys.executable, "-c", program, file], env=environment(file, FSYNC=1),
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert done.stdout.strip() == "outbox_failed", done
        client = katalys.Client("abcd.com", outbox=str(file), deliver=False)
        ticket = client.enqueue_update("1", order_count=3)
        stats = client.stats()
        assert ticket.id == stats.accepted == stats.pending, (ticket, stats)
        client.close()
    print("a failed fsync: no ticket")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=6)
    arguments.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    given = arguments.parse_args()
    print(f"seed {given.seed}")
    random.seed(given.seed)
    one_read_fails_at_opening()
    a_failed_fsync_acknowledges_nothing()
    with contextlib.closing(Receiver()) as receiver:
        for number in range(1, given.runs + 1):
            kill_writers(number, given.seconds, receiver)
    print(f"{given.runs + 2} passed, 0 failed")


main()
