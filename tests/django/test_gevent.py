"""The shop under gunicorn's gevent workers: greenlets continue while a call waits, and background
events are reported."""

import concurrent.futures
import re
import signal
import subprocess
import sys
import time

import katalys
import pytest
from support import balanced
from test_gunicorn import gunicorn, stop

GEVENT = ("--worker-class", "gevent", "--workers", "1")
DEAD = re.compile(r"update \d+ of order [0-9a-f]{16}: dead lettered \(rejected, status 400")


def side_by_side(ask, paths):
    with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
        return list(pool.map(ask, paths))


def test_dead_letters_are_logged_and_the_server_ends_at_once(receiver, tmp_path):
    run, endpoint = receiver.endpoint("400")
    outbox = tmp_path / "katalys.db"
    with gunicorn(endpoint, *GEVENT, SHOP_OUTBOX=str(outbox)) as (process, ask):
        side_by_side(ask, [f"enqueue/order-{n}/x" for n in range(5)])
        receiver.recorded(run, wait=5)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        _, said = process.communicate(timeout=30)
        assert time.monotonic() - began < 2, said
        assert process.returncode == 0, said
    assert len(DEAD.findall(said)) == 5, said
    assert "Traceback" not in said
    with katalys.Client("abcd.com", outbox=outbox, deliver=False) as client:
        assert balanced(client.stats()).dead == 5


@pytest.mark.parametrize("outbox", [False, True], ids=["", "outbox"])
def test_waiting_calls_overlap(receiver, tmp_path, outbox):
    _, endpoint = receiver.endpoint("slow=1000")
    environment = {"SHOP_OUTBOX": str(tmp_path / "katalys.db")} if outbox else {}
    with gunicorn(endpoint, *GEVENT, **environment) as (process, ask):
        began = time.monotonic()
        answers = side_by_side(ask, [f"send/{n}" for n in range(12)])
        took = time.monotonic() - began
        assert answers == [{"attempts": 1}] * 12
        assert took < 6, "one after the other would be 12 seconds"
        assert stop(process) < 3


PROGRAM = """
from gevent import monkey; monkey.patch_all()
import sys, time, gevent, katalys
endpoint, outbox = sys.argv[1:]
heard = []
client = katalys.Client("abcd.com", endpoint=endpoint, outbox=outbox, on_event=heard.append)
plain = katalys.Client("abcd.com", endpoint=endpoint)
def give_up():
    began = time.monotonic()
    try:
        with gevent.Timeout(0.2):
            plain.update_order("1")
    except gevent.Timeout:
        return time.monotonic() - began
turns = []
def other():
    while True:
        turns.append(1)
        gevent.sleep(0.01)
beside = gevent.spawn(other)
given_up = gevent.spawn(give_up)
assert 0.2 <= given_up.get() < 0.5
assert len(turns) > 10, len(turns)
client.enqueue_update("2")
assert client.flush(10) == 0
assert client.close() == 0
print([event.kind for event in heard], client.stats().delivered)
"""


def test_a_greenlet_may_time_out_and_events_are_delivered(receiver, tmp_path):
    _, endpoint = receiver.endpoint("slow=600")
    command = [sys.executable, "-c", PROGRAM, endpoint, str(tmp_path / "katalys.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "['accepted', 'delivered'] 1\n", done.stderr
    assert done.stderr == ""
