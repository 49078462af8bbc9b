"""The shop with an outbox under gunicorn: workers share it, are stopped and killed, and nothing is
lost or out of order."""

import concurrent.futures
import os
import signal
import time
import urllib.error

import katalys
import pytest
from support import balanced, notes_by_order
from test_gunicorn import gunicorn, stop

ORDERS = [f"order-{number}" for number in range(6)]


def enqueue_all(ask, notes):
    """Enqueues the updates of each order in sequence, different orders concurrently; returns the
    workers that accepted them."""

    def enqueue(order):
        return [ask(f"enqueue/{order}/{note}")["process"] for note in notes]

    with concurrent.futures.ThreadPoolExecutor(len(ORDERS)) as pool:
        return {process for each in pool.map(enqueue, ORDERS) for process in each}


def deliver_the_rest(endpoint, outbox):
    with katalys.Client("abcd.com", endpoint=endpoint, outbox=outbox) as client:
        assert client.flush(60) == 0
        return balanced(client.stats())


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
def test_a_server_that_is_stopped_while_it_delivers_loses_nothing(receiver, tmp_path, preload):
    run, endpoint = receiver.endpoint("slow=150")
    outbox = str(tmp_path / "katalys.db")
    environment = {"SHOP_OUTBOX": outbox, "SHOP_ENQUEUES_AT_START": "yes"}
    notes = [str(number) for number in range(40)]
    for half in (notes[:20], notes[20:]):
        with gunicorn(endpoint, *preload, **environment) as (process, ask):
            assert len(enqueue_all(ask, half)) == 2
            assert stop(process) < 12
    before = len(receiver.recorded(run))
    at_start = 2 if preload else 4
    stats = deliver_the_rest(endpoint, outbox)
    assert (stats.accepted, stats.delivered) == (240 + at_start, 240 + at_start)
    assert before < stats.accepted, "there was something left to do"
    records = receiver.recorded(run, wait=stats.accepted)
    assert len(records) == stats.accepted, "nothing twice"
    received = notes_by_order(records)
    assert received.pop("at-start") == [None]
    assert received == dict.fromkeys(ORDERS, notes)


def test_a_worker_that_is_killed_loses_nothing(receiver, tmp_path):
    run, endpoint = receiver.endpoint("slow=20")
    outbox = str(tmp_path / "katalys.db")
    notes = [str(number) for number in range(10)]
    with gunicorn(endpoint, "--preload", SHOP_OUTBOX=outbox) as (process, ask):
        workers = enqueue_all(ask, notes)
        os.kill(min(workers), signal.SIGKILL)
        enqueue_when_it_answers(ask)
        process.terminate()
        process.communicate(timeout=30)
    stats = deliver_the_rest(endpoint, outbox)
    assert stats.delivered == stats.accepted >= 61
    received = notes_by_order(receiver.recorded(run, wait=stats.accepted))
    assert received.pop("after")
    assert received == dict.fromkeys(ORDERS, notes)


def enqueue_when_it_answers(ask):
    """The first call may be lost with the killed worker."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return ask("enqueue/after/1")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    return pytest.fail("no worker answers")
