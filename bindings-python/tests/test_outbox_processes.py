"""The outbox when processes end, fork, and are killed: no update is lost or overtaken, and
no process hangs."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import katalys
import pytest
from support import balanced, notes_by_order, run_python
from test_fork import FORK_AND_CHECK, run_file

PREFIX = """
    import asyncio, logging, os, sys, threading, time, katalys
    logging.disable()
    options = {"endpoint": sys.argv[1], "outbox": sys.argv[2], "timeout": 5}
    client = katalys.Client("abcd.com", **options)
"""


@pytest.fixture
def outbox(tmp_path):
    return str(tmp_path / "katalys.db")


def deliver_the_rest(receiver, outbox, timeout=40):
    """What the next process does: its run, and the counters afterwards."""
    run, endpoint = receiver.endpoint()
    with katalys.Client("abcd.com", endpoint=endpoint, outbox=outbox) as client:
        assert client.flush(timeout) == 0
        stats = balanced(client.stats())
    return run, stats


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_exit_with_an_endpoint_that_hangs_leaves_the_rows_to_the_next(
    receiver, outbox, asynchronous
):
    _, endpoint = receiver.endpoint("hang")
    script = """
    for number in range(20):
        client.enqueue_update(number % 3, note=str(number))
    """
    if asynchronous:
        script = """
    client = katalys.AsyncClient("abcd.com", **options)
    async def main():
        for number in range(20):
            await client.enqueue_update(number % 3, note=str(number))
    asyncio.run(main())
    """
    started = time.monotonic()
    run_python(PREFIX + script, endpoint, outbox)
    assert time.monotonic() - started < 15
    run, stats = deliver_the_rest(receiver, outbox)
    assert (stats.accepted, stats.delivered) == (20, 20)
    notes = notes_by_order(receiver.recorded(run, wait=20))
    assert notes == {str(n): [str(note) for note in range(n, 20, 3)] for n in range(3)}


def test_an_exit_finishes_what_is_under_way_and_begins_nothing_new(receiver, outbox):
    run, endpoint = receiver.endpoint("slow=700")
    script = """
    for number in range(5):
        client.enqueue_update("1", note=str(number))
    time.sleep(0.2)
    """
    run_python(PREFIX + script, endpoint, outbox)
    assert notes_by_order(receiver.recorded(run, wait=1)) == {"1": ["0"]}
    rest, stats = deliver_the_rest(receiver, outbox)
    assert (stats.accepted, stats.delivered) == (5, 5)
    assert notes_by_order(receiver.recorded(rest, wait=4)) == {"1": ["1", "2", "3", "4"]}


@pytest.mark.parametrize(
    "script",
    [
        "client.enqueue_update('1'); client.close()",
        "client.close(); client.enqueue_update('1')",
        "client.enqueue_update('1'); sys.exit(0)",
        "client.enqueue_update('1'); del client",
        "threading.Thread(target=client.flush, args=(60,), daemon=True).start(); "
        "client.enqueue_update('1')",
        "import atexit; atexit.register(client.enqueue_update, '1')",
    ],
)
def test_no_way_to_end_hangs_or_loses(receiver, outbox, script):
    _, endpoint = receiver.endpoint("503:retry-after=60")
    started = time.monotonic()
    run_python(textwrap.dedent(PREFIX) + script, endpoint, outbox)
    assert time.monotonic() - started < 10
    with katalys.Client("abcd.com", outbox=outbox, deliver=False) as client:
        assert balanced(client.stats()).pending == 1


@pytest.mark.parametrize(
    "callback",
    ["lambda event: None", "lambda event: time.sleep(0.01)", "lambda event: sum(range(100000))"],
)
def test_an_interpreter_with_a_callback_at_work_ends(receiver, outbox, callback):
    _, endpoint = receiver.endpoint()
    script = f"""
    client = katalys.Client("abcd.com", on_event={callback}, **options)
    def enqueue(name):
        for number in range(200):
            client.enqueue_update(name, note=str(number))
    threads = [threading.Thread(target=enqueue, args=(n,), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        pid = os.fork()
        if pid == 0:
            client.enqueue_update("child", note=str(_))
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    """
    started = time.monotonic()
    environment = {"PYTHONWARNINGS": "ignore::DeprecationWarning"}
    command = [sys.executable, "-c", textwrap.dedent(PREFIX + script), endpoint, outbox]
    done = subprocess.run(
        command, capture_output=True, timeout=60, check=False, env={**os.environ, **environment}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert time.monotonic() - started < 40


def test_a_client_serves_both_sides_of_a_fork(receiver, outbox):
    run, endpoint = receiver.endpoint("slow=20")
    script = (
        FORK_AND_CHECK
        + PREFIX
        + """
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    def enqueue(who):
        for number in range(10):
            client.enqueue_update(who, note=f"{who}-{number}")
    in_child(lambda: (enqueue("first"), client.flush(), client.close()))
    enqueue("parent")
    in_child(lambda: (enqueue("second"), client.flush(), client.close()))
    in_child(lambda: enqueue("third"))
    in_child(lambda: in_child(lambda: (client.flush(), client.update_order("grandchild"))))
    assert client.flush(40) == 0
    assert client.stats().delivered == 41, client.stats()
    """
    )
    run_python(script, endpoint, outbox, timeout=90)
    notes = notes_by_order(receiver.recorded(run, wait=41))
    assert notes.pop("grandchild") == [None]
    for who in ("first", "parent", "second", "third"):
        assert notes[who] == [f"{who}-{number}" for number in range(10)]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_finish_what_is_under_way(receiver, outbox, tmp_path, method):
    run, endpoint = receiver.endpoint("slow=300")
    script = tmp_path / "work.py"
    script.write_text(
        "import multiprocessing, sys, katalys\n"
        "client = katalys.Client('abcd.com', endpoint=sys.argv[1], outbox=sys.argv[3])\n"
        "def enqueue(order):\n"
        "    for number in range(4):\n"
        "        client.enqueue_update(order, note=f'{order}-{number}')\n"
        "    return client.stats().accepted\n"
        "if __name__ == '__main__':\n"
        "    client.enqueue_update('parent', note='parent-0')\n"
        "    context = multiprocessing.get_context(sys.argv[2])\n"
        "    children = [context.Process(target=enqueue, args=(n,)) for n in range(3)]\n"
        "    for child in children:\n"
        "        child.start()\n"
        "    for child in children:\n"
        "        child.join(30)\n"
        "        assert child.exitcode == 0, child\n"
    )
    run_file(script, endpoint, method, outbox)
    first = receiver.recorded(run)
    rest, stats = deliver_the_rest(receiver, outbox)
    assert (stats.accepted, stats.delivered) == (13, 13)
    records = [*first, *receiver.recorded(rest, wait=13 - len(first))]
    assert len(records) == 13, "what was under way had been settled"
    notes = notes_by_order(records)
    assert notes == {
        "parent": ["parent-0"],
        **{str(order): [f"{order}-{number}" for number in range(4)] for order in range(3)},
    }


def test_one_process_enqueues_and_another_delivers(receiver, outbox):
    run, endpoint = receiver.endpoint()
    script = """
    client = katalys.Client("abcd.com", deliver=False, **options)
    print(client.enqueue_update("1").id, client.flush(timeout=0.2))
    """
    assert run_python(PREFIX + script, endpoint, outbox) == "1 1"
    assert receiver.recorded(run) == []
    rest, stats = deliver_the_rest(receiver, outbox)
    assert stats.delivered == 1
    assert len(receiver.recorded(rest, wait=1)) == 1


def test_what_a_killed_process_had_under_way_is_taken_over(receiver, outbox):
    run, endpoint = receiver.endpoint("slow=50")
    script = textwrap.dedent(PREFIX) + (
        "number = 0\n"
        "while True:\n"
        "    client.enqueue_update(number % 4, note=str(number))\n"
        "    print(number, flush=True)\n"
        "    number += 1\n"
    )
    accepted = 0
    for _ in range(3):
        command = [sys.executable, "-c", script, endpoint, outbox]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            for _ in range(40):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            accepted += 40 + len(process.stdout.read().splitlines())
    rest, stats = deliver_the_rest(receiver, outbox, timeout=90)
    assert accepted <= stats.accepted <= accepted + 3
    assert stats.accepted == stats.delivered
    assert stats.dead == 0
    received = [*receiver.recorded(run), *receiver.recorded(rest)]
    bodies = [record["body"] for record in received]
    assert len(set(bodies)) <= stats.accepted <= len(bodies)
