"""The outbox from asyncio: no thread per call, and nothing that blocks the loop."""

import asyncio
import contextlib
import json
import os
import time

import katalys
import pytest
from support import balanced, notes_by_order
from test_async import LOOPS, run, watched


@pytest.fixture
def client(receiver, tmp_path):
    def make(*steps, **options):
        run_id, endpoint = receiver.endpoint(*steps)
        outbox = tmp_path / "katalys.db"
        return run_id, katalys.AsyncClient("abcd.com", endpoint=endpoint, outbox=outbox, **options)

    return make


@pytest.mark.parametrize("new_loop", LOOPS)
def test_it_does_all_that_the_waiting_client_does(receiver, client, new_loop):
    events = []
    run_id, sender = client("400", "400", "204", on_event=events.append)

    async def main():
        async with sender:
            tickets = [await sender.enqueue_update("1", note=note) for note in ("a", "b")]
            assert await sender.flush() == 0
            letters = await sender.dead_letters()
            assert [letter.id for letter in letters] == [ticket.id for ticket in tickets]
            assert await sender.dead_letters(after=2) == []
            assert await sender.edit(1, {"order_status": "paid"}, note=None) is True
            assert await sender.replay(1) is True
            assert await sender.discard(2) is True
            assert await sender.discard(2) is False
            receipt = await sender.update_order("1", note="c")
            assert receipt.attempts == 1
            assert await sender.flush(timeout=5) == 0
            assert not watched(asyncio.get_running_loop(), sender)
            return await sender.stats()

    stats = balanced(run(main(), new_loop))
    assert (stats.accepted, stats.delivered, stats.discarded) == (3, 2, 1)
    *_, replayed, last = receiver.recorded(run_id, wait=4)
    assert json.loads(replayed["body"])["order_status"] == "paid"
    assert json.loads(last["body"])["note"] == "c"
    assert [event.kind for event in events].count("delivered") == 2


@pytest.mark.parametrize("new_loop", LOOPS)
def test_many_enqueue_at_once_without_a_thread_each(receiver, client, new_loop):
    run_id, sender = client(workers=2)

    async def main():
        calls = (sender.enqueue_update(f"{n % 10}", note=str(n)) for n in range(500))
        tickets = asyncio.gather(*calls)
        most = 0
        while not tickets.done():
            most = max(most, len(os.listdir("/proc/self/task")))
            await asyncio.sleep(0)
        assert await sender.flush() == 0
        return [ticket.id for ticket in await tickets], most

    before = len(os.listdir("/proc/self/task"))
    ids, most = run(main(), new_loop)
    assert ids == list(range(ids[0], ids[0] + 500))
    assert most <= before + 5
    notes = notes_by_order(receiver.recorded(run_id, wait=500))
    assert notes == {str(n): [str(note) for note in range(n, 500, 10)] for n in range(10)}


def test_errors_are_those_of_the_waiting_client(client):
    _, sender = client(deliver=False, capacity_rows=1)

    async def main():
        await sender.enqueue_update("1")
        with pytest.raises(katalys.OutboxFullError):
            await sender.enqueue_update("2")
        with pytest.raises(katalys.ValidationError):
            await sender.enqueue_report("3")
        with pytest.raises(katalys.Error, match="timeout"):
            await sender.flush(-1)
        async with katalys.AsyncClient("abcd.com") as without:
            with pytest.raises(katalys.ConfigError, match="outbox"):
                await without.enqueue_update("1", sale_amount="$")

    run(main())


def test_a_cancelled_flush_waits_no_longer_and_a_cancelled_enqueue_may_have_happened(client):
    _, sender = client("hang", timeout=30)

    async def main():
        await sender.enqueue_update("1")
        enqueue = asyncio.ensure_future(sender.enqueue_update("2"))
        await asyncio.sleep(0)
        enqueue.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await enqueue
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(sender.flush(timeout=60), 0.2)
        assert not watched(asyncio.get_running_loop(), sender)
        return await sender.stats()

    started = time.monotonic()
    stats = balanced(run(main()))
    assert time.monotonic() - started < 10
    assert 1 <= stats.accepted <= 2
    deadline = time.monotonic() + 10
    while b"katalys-aside" in thread_names():
        assert time.monotonic() < deadline, "the flush continues"
        time.sleep(0.02)


def thread_names():
    names = b""
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/comm", "rb") as comm:
            names += comm.read()
    return names
