"""Kills processes whose outbox is on a failing disk, and checks that no accepted update is lost.

Usage: run.py [--runs N] [--seconds S] [--seed N]

This interpreter has the wheel, BUILD has the shim and the C programs, and RECEIVER is the tests'
server. See README.md in this folder.
"""

import argparse
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
from pathlib import Path

import delivery  # of ../outbox
import katalys

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ["BUILD"])
RATES = {"EIO": 0.01, "ENOSPC": 0.01, "SHORT": 0.01, "FSYNC": 0.005}
NAMES = {"outbox.db", "outbox.db-wal", "outbox.db-shm", "outbox.db-reserve"}


def environment(file, **faults):
    shim = {"LD_PRELOAD": str(BUILD / "faults.so"), "KATALYS_FAULT_PATH": str(file)}
    return os.environ | shim | {f"KATALYS_FAULT_{key}": str(value) for key, value in faults.items()}


class Writer:
    """A writer, which is started again whenever it is killed."""

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
            file, SEED=random.randrange(1 << 30), COUNT=self.folder / "logs/faults", **RATES
        )
        self.process = subprocess.Popen([*self.command, *map(str, arguments)], env=env)
        self.dies_at = time.monotonic() + random.uniform(0.4, 2.0)

    def kill(self):
        if self.process:
            assert self.process.poll() is None, f"{self.name} exited by itself"
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def lines(self):
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


def check(lines, received, stats):
    codes = {line.split()[1] for line in lines if line.startswith("error ")}
    assert codes <= {"outbox_failed"}, f"unexpected errors: {codes - {'outbox_failed'}}"
    tickets = [line.split()[1:] for line in lines if line.startswith("ticket ")]
    tickets = [(int(number), order, note) for number, order, note in tickets]
    numbers = {number for number, _, _ in tickets}
    assert len(numbers) == len(tickets), "two tickets have the same number"
    distinct = delivery.check_order(tickets, received)
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
        lines = [line for writer in writers for line in writer.lines()]
        file = str(folder / "outbox.db")
        client = katalys.Client("abcd.com", outbox=file, endpoint=endpoint)
        stats = delivery.drain(client)
        client.close()
        names = {path.name for path in folder.iterdir() if path.is_file()}
        assert names <= NAMES, f"unexpected files: {names - NAMES}"
        received = delivery.delivered(receiver.records(f"faults-{number}"))
        tickets, codes = check(lines, received, stats)
        kills = sum(len(writer.logs) for writer in writers)
        faults = (folder / "logs/faults").stat().st_size
        assert min(faults, tickets) > 0, (faults, tickets)
    print(
        f"run {number}: {tickets} tickets, {kills} kills, {faults} faults, {codes or 'no errors'}"
    )


@contextlib.contextmanager
def outbox_of_five(is_killed):
    """An outbox with five updates: closed, or as a killed process leaves it, with its log."""
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


def one_read_fails_while_opening():
    """One read of the main file fails: the error is retryable, no file is renamed, and the next
    attempt succeeds."""
    failed = 0
    for number, is_killed in itertools.product(range(1, 13), [False, True]):
        with outbox_of_five(is_killed) as file:
            faults = BUILD / f"faults-{number}"
            faults.unlink(missing_ok=True)
            done = subprocess.run(
                [sys.executable, HERE / "opener.py", file],
                env=environment(file, PREAD=number, COUNT=faults),
                capture_output=True, text=True, check=True, timeout=60,
            )  # fmt: skip
            results = json.loads(done.stdout)
            names = {path.name for path in file.parent.iterdir()}
            assert names <= NAMES, f"read {number}: {names}"
            errors = [result for result in results if "code" in result]
            error = {"code": "outbox_failed", "retryable": True}
            assert errors in ([], [error]), f"read {number}: {results}"
            assert [result for result in results if "code" not in result] == [{"pending": 5}] * (
                len(results) - len(errors)
            ), f"read {number}: {results}"
            failed += len(errors)
            assert faults.read_bytes() == b"x", f"no read {number} took place"
            faults.unlink()
    assert failed > 0, "no failing read caused an error"
    print(
        f"one failing read while opening: {failed} of 24 caused an error, nothing lost or renamed"
    )


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
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    given = parser.parse_args()
    print(f"seed {given.seed}")
    random.seed(given.seed)
    one_read_fails_while_opening()
    a_failed_fsync_acknowledges_nothing()
    with contextlib.closing(delivery.Receiver()) as receiver:
        for number in range(1, given.runs + 1):
            kill_writers(number, given.seconds, receiver)
    print(f"{given.runs + 2} passed, 0 failed")


main()
