"""An interpreter that uses the package ends by itself, at once, and silently."""

import time

import pytest
from support import run_python

PREFIX = """
    import asyncio, logging, sys, threading, time, katalys
    logging.disable()
    options = {"endpoint": sys.argv[1], "timeout": 30}
    client = katalys.Client("abcd.com", **options)
"""


def ends_soon(script, endpoint):
    started = time.monotonic()
    run_python(PREFIX + script, endpoint, timeout=20)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "script",
    [
        """
    client.update_order("1")
    """,
        """
    client.update_order("1")
    sys.exit(0)
    """,
        """
    katalys.AsyncClient("abcd.com", **options)
    """,
        """
    background = katalys.AsyncClient("abcd.com", **options)
    asyncio.run(background.update_order("1"))
    """,
        """
    background = katalys.AsyncClient("abcd.com", **options)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(background.update_order("1"))
    loop.close()
    """,
    ],
    ids=["after-a-call", "sys-exit", "never-used", "after-asyncio-run", "after-a-closed-loop"],
)
def test_ends_at_once(receiver, script):
    ends_soon(script, receiver.endpoint()[1])


def test_ends_with_calls_under_way_in_daemon_threads(receiver):
    run, endpoint = receiver.endpoint("slow=1500")
    ends_soon(
        """
    for number in range(4):
        threading.Thread(target=client.update_order, args=(number,), daemon=True).start()
    time.sleep(0.3)
    """,
        endpoint,
    )
    assert len(receiver.recorded(run)) == 4


def test_ends_while_daemon_threads_keep_calling(receiver):
    _, endpoint = receiver.endpoint()
    ends_soon(
        """
    def send():
        while True:
            client.update_order("1", order_status="Paid")
    for _ in range(4):
        threading.Thread(target=send, daemon=True).start()
    time.sleep(0.5)
    """,
        endpoint,
    )


def test_ends_with_background_sends_under_way(receiver):
    _, endpoint = receiver.endpoint("hang")
    ends_soon(
        """
    background = katalys.AsyncClient("abcd.com", **options)
    async def main():
        tasks = [asyncio.ensure_future(background.update_order(n)) for n in range(8)]
        await asyncio.sleep(0.2)
        sys.exit(0)
    try:
        asyncio.run(main())
    except SystemExit:
        pass
    """,
        endpoint,
    )


def test_ctrl_c_ends_a_program_once_the_call_is_over(receiver):
    _, endpoint = receiver.endpoint("slow=600")
    ends_soon(
        """
    import signal, os
    # A shell may have started the tests with the signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        client.update_order("1")
    except KeyboardInterrupt:
        print("interrupted")
    else:
        raise AssertionError("the signal was lost")
    """,
        endpoint,
    )
