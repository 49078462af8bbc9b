"""Shared by all tests: the receiver, typed values, and child processes."""

import contextlib
import datetime
import decimal
import itertools
import json
import os
import pathlib
import subprocess
import sys
import textwrap
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECEIVER = os.environ.get("RECEIVER", ROOT / "target/debug/katalys-receiver")
OWN_SETTINGS = ("KATALYS_SITE_ID", "KATALYS_ENDPOINT", "KATALYS_TIMEOUT", "KATALYS_OUTBOX")


class Receiver:
    """The loopback server, and what it recorded."""

    def __init__(self, ready):
        self.ready = ready
        self._runs = itertools.count()

    def run_id(self):
        return f"py-{os.getpid()}-{next(self._runs)}"

    def endpoint(self, *steps, target="url"):
        """A new run with these steps: its id and its URL."""
        run = self.run_id()
        return run, f"{self.lookup(target)}/run/{run}/{'/'.join(steps or ['204'])}"

    def lookup(self, key):
        value = self.ready
        for part in key.split("."):
            value = value[part]
        return value

    def recorded(self, run, wait=0, timeout=10):
        return self._ask(f"/_recorded/{run}?wait={wait}&timeout={timeout}")

    def stats(self):
        return self._ask("/_stats")

    def _ask(self, path):
        with urllib.request.urlopen(self.ready["control"] + path) as answer:
            return json.load(answer)


@contextlib.contextmanager
def running_receiver():
    """The running receiver."""
    command = [str(RECEIVER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Receiver(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.wait(10) == 0


def balanced(stats):
    """The counters of an outbox, once their sum is checked."""
    total = stats.delivered + stats.pending + stats.dead + stats.discarded
    assert stats.accepted == total, stats
    return stats


def notes_by_order(records):
    """The `note` of each order's updates, in order of arrival, each value once."""
    notes = {}
    for record in records:
        if record["body"] is not None:
            fields = json.loads(record["body"])
            notes.setdefault(fields["order_id"], {})[fields.get("note")] = None
    return {order: list(said) for order, said in notes.items()}


def typed(value):
    """A value of the shared files as a Python value."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not next(iter(value)).startswith("$"):
        return {key: typed(item) for key, item in value.items()}
    [(kind, content)] = value.items()
    return TYPES[kind](content)


TYPES = {
    "$decimal": decimal.Decimal,
    "$float": float,
    "$int": int,
    "$time": lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00")),
    "$utf16": lambda units: b"".join(unit.to_bytes(2, "little") for unit in units).decode(
        "utf-16-le", "surrogatepass"
    ),
    "$repeat": lambda pair: pair[0] * pair[1],
}


def run_python(script, *arguments, timeout=60, executable=sys.executable, env=None, cwd=None):
    """Runs a script in another interpreter; it must end by itself and write nothing to stderr.
    Returns what it printed."""
    done = subprocess.run(
        [executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, **(env or {})},
        cwd=cwd,
    )
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stdout}{done.stderr}"
    assert done.stderr == "", done.stderr
    return done.stdout.strip()
