"""`AsyncClient`: no thread per call, cancellation that leaves nothing behind, any event loop."""

import asyncio
import contextlib
import gc
import inspect
import os
import threading
import time

import katalys
import pytest
import uvloop
from support import run_python

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def run(main, new_loop=asyncio.new_event_loop):
    """As `asyncio.run`, with this loop; in debug mode, which is stricter."""
    loop = new_loop()
    problems = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    loop.set_debug(True)
    try:
        result = loop.run_until_complete(main)
        assert asyncio.all_tasks(loop) == set()
    finally:
        loop.close()
    gc.collect()
    assert problems == []
    return result


def a_client(receiver, *steps, **options):
    run_id, endpoint = receiver.endpoint(*steps)
    return run_id, katalys.AsyncClient("abcd.com", endpoint=endpoint, **options)


@pytest.mark.parametrize("new_loop", LOOPS)
def test_calls_run_side_by_side(receiver, new_loop):
    run_id, client = a_client(receiver, "slow=200")

    async def main():
        started = time.monotonic()
        calls = [client.update_order(number, order_status="paid") for number in range(32)]
        receipts = await asyncio.gather(*calls)
        return receipts, time.monotonic() - started

    receipts, took = run(main(), new_loop)
    assert [receipt.attempts for receipt in receipts] == [1] * 32
    assert took < 3, "one after the other would be 6.4 seconds"
    assert len(receiver.recorded(run_id, wait=32)) == 32


def test_the_loop_runs_meanwhile(receiver):
    _, client = a_client(receiver, "slow=300")

    async def main():
        ticks = 0
        call = asyncio.ensure_future(client.update_order("1"))
        while not call.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert run(main()) >= 10


def test_updates_of_one_order_keep_their_order(receiver):
    run_id, client = a_client(receiver)

    async def main():
        await asyncio.gather(*(client.update_order("1", note=str(n)) for n in range(50)))

    run(main())
    notes = [record["body"].split('"note":')[1] for record in receiver.recorded(run_id, wait=50)]
    assert notes == [f'"{number}"}}' for number in range(50)]


@pytest.mark.parametrize("new_loop", LOOPS)
def test_errors_are_those_of_the_waiting_client(receiver, new_loop):
    _, client = a_client(receiver, "400")

    async def main():
        with pytest.raises(katalys.RejectedError) as rejected:
            await client.update_order("1")
        with pytest.raises(katalys.ValidationError) as invalid:
            await client.report_order("1", sale_amount="$1")
        return rejected.value.status, invalid.value.problems[0].path

    assert run(main(), new_loop) == (400, "sale_amount")


def test_every_call_but_the_checks_is_a_coroutine_function():
    calls = {name for name in dir(katalys.Client) if not name.startswith("_")}
    calls -= {"validate_update", "validate_report"}
    assert {"update_order", "enqueue_report", "flush"} <= calls
    for name in calls:
        assert inspect.iscoroutinefunction(getattr(katalys.AsyncClient, name)), name
    assert katalys.AsyncClient("abcd.com").validate_update("1", currency="eur").ok


@pytest.mark.parametrize("new_loop", LOOPS)
def test_a_cancelled_call_leaves_nothing_behind(receiver, new_loop):
    run_id, client = a_client(receiver, "hang", timeout=30)

    async def main():
        task = asyncio.ensure_future(client.update_order("1"))
        await asyncio.to_thread(receiver.recorded, run_id, wait=1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not watched(asyncio.get_running_loop(), client)

    started = time.monotonic()
    run(main(), new_loop)
    assert time.monotonic() - started < 5


def test_a_call_cancelled_before_its_turn_is_never_sent(receiver):
    run_id, client = a_client(receiver, "slow=400", "204")

    async def main():
        first = asyncio.ensure_future(client.update_order("1", note="first"))
        second = asyncio.ensure_future(client.update_order("1", note="second"))
        await asyncio.to_thread(receiver.recorded, run_id, wait=1)
        second.cancel()
        await first
        with contextlib.suppress(asyncio.CancelledError):
            await second
        await client.update_order("1", note="third")

    run(main())
    bodies = [record["body"] for record in receiver.recorded(run_id, wait=2)]
    assert [body[-8:-2] for body in bodies] == ['"first', '"third']


def test_a_retry_ends_with_cancellation(receiver):
    run_id, client = a_client(receiver, "503:retry-after=1", timeout=20)

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.update_order("1"), 0.3)

    run(main())
    count = len(receiver.recorded(run_id, wait=1))
    assert count == 1
    assert len(receiver.recorded(run_id, wait=2, timeout=2)) == 1


def watched(loop, client):
    """Whether the loop watches the client's queue."""
    calls = client._calls[loop]
    return bool(loop.remove_reader(calls.queue.fileno()))


@pytest.mark.parametrize("new_loop", LOOPS)
def test_the_loop_does_not_watch_an_idle_client(receiver, new_loop):
    _, client = a_client(receiver)

    async def main():
        loop = asyncio.get_running_loop()
        await client.update_order("1")
        idle = watched(loop, client)
        with contextlib.suppress(katalys.ValidationError):
            await client.update_order("1", sale_amount="$")
        return idle, watched(loop, client)

    assert run(main(), new_loop) == (False, False)


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_many_loops_in_turn_leave_no_files_open(receiver):
    _, client = a_client(receiver)
    for new_loop in LOOPS:
        run(client.update_order("0"), new_loop)
        before = open_files()
        for number in range(50):
            run(client.update_order(number), new_loop)
        gc.collect()
        assert open_files() <= before
        assert len(client._calls) <= 1


def test_several_loops_in_threads_share_a_client(receiver):
    run_id, client = a_client(receiver)
    failures = []

    async def many(name):
        calls = (client.update_order(f"{name}-{number}") for number in range(50))
        await asyncio.gather(*calls)

    def in_thread(name, new_loop):
        try:
            run(many(name), new_loop)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=in_thread, args=(n, LOOPS[n % 2])) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(receiver.recorded(run_id, wait=300)) == 300


class WithoutReaders(asyncio.SelectorEventLoop):
    """A loop that cannot watch sockets, such as that of Windows."""

    def add_reader(self, *_):
        raise NotImplementedError

    def remove_reader(self, *_):
        raise NotImplementedError


def test_a_loop_that_cannot_watch_sockets_is_woken_otherwise(receiver):
    _, client = a_client(receiver)

    async def main():
        calls = [client.update_order(number) for number in range(100)]
        return await asyncio.gather(*calls)

    # asyncio itself needs a reader for wake-ups between threads.
    loop = WithoutReaders()
    loop._add_reader(loop._ssock.fileno(), loop._read_from_self)
    try:
        receipts = loop.run_until_complete(main())
    finally:
        loop.close()
    assert len(receipts) == 100


def test_a_loop_closed_with_a_call_under_way_is_no_trouble(receiver):
    run_id, client = a_client(receiver, "slow=300")
    for new_loop in LOOPS:
        loop = new_loop()
        call = client.update_order("1")
        task = loop.create_task(call)
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()
        task._log_destroy_pending = False
        del task, call
        gc.collect()
    assert len(receiver.recorded(run_id, wait=1)) >= 1
    assert run(client.update_order("1")).attempts == 1


def test_no_thread_until_the_first_call(receiver):
    script = """
        import asyncio, os, sys, threading, katalys
        def threads():
            return len(os.listdir("/proc/self/task"))
        client = katalys.AsyncClient("abcd.com", endpoint=sys.argv[1])
        client.validate_update("1", order_status="paid")
        before = threads()
        asyncio.run(client.update_order("1"))
        after = threads()
        waiting = katalys.Client("abcd.com", endpoint=sys.argv[1])
        waiting.update_order("1")
        print(before, after, threads(), threading.active_count())
    """
    _, endpoint = receiver.endpoint()
    assert run_python(script, endpoint) == "1 2 2 1"


def test_no_more_threads_than_asked_for(receiver):
    script = """
        import asyncio, os, sys, katalys
        client = katalys.AsyncClient("abcd.com", endpoint=sys.argv[1], workers=3)
        async def main():
            await asyncio.gather(*(client.update_order(n) for n in range(200)))
            print(len(os.listdir("/proc/self/task")))
        asyncio.run(main(), debug=False)  # Which complains of a machine under load.
    """
    _, endpoint = receiver.endpoint()
    assert int(run_python(script, endpoint)) <= 4
