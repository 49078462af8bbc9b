"""Forked and spawned processes: each opens its own connections, none hangs."""

import pytest
from support import run_python

FORK_AND_CHECK = """
    import os, sys, signal
    def in_child(action):
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            try:
                action()
            except BaseException as failure:
                print(repr(failure), file=sys.stderr)
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
"""


def test_a_client_works_before_and_after_fork_on_both_sides(receiver):
    run, endpoint = receiver.endpoint()
    script = (
        FORK_AND_CHECK
        + """
    import katalys
    client = katalys.Client("abcd.com", endpoint=sys.argv[1])
    client.update_order("parent-before")
    in_child(lambda: client.update_order("child"))
    in_child(lambda: in_child(lambda: client.update_order("grandchild")))
    client.update_order("parent-after")
    """
    )
    run_python(script, endpoint)
    records = receiver.recorded(run, wait=4)
    ids = [record["body"].split('"order_id":"')[1].rstrip('"}') for record in records]
    assert ids == ["parent-before", "child", "grandchild", "parent-after"]
    connections = [record["connection"] for record in records]
    assert connections[0] == connections[3], "the parent's connection is left alone"
    assert len(set(connections)) == 3


def test_an_async_client_works_before_and_after_fork(receiver):
    run, endpoint = receiver.endpoint()
    script = (
        FORK_AND_CHECK
        + """
    import asyncio, katalys
    client = katalys.AsyncClient("abcd.com", endpoint=sys.argv[1])
    async def main():
        await asyncio.gather(*(client.update_order(n) for n in range(20)))
    asyncio.run(main())
    in_child(lambda: asyncio.run(main()))
    asyncio.run(main())
    """
    )
    run_python(script, endpoint)
    assert len(receiver.recorded(run, wait=60)) == 60


def test_fork_while_other_threads_send(receiver):
    run, endpoint = receiver.endpoint()
    script = (
        FORK_AND_CHECK
        + """
    import asyncio, threading, warnings, katalys
    warnings.simplefilter("ignore", DeprecationWarning)
    client = katalys.Client("abcd.com", endpoint=sys.argv[1])
    background = katalys.AsyncClient("abcd.com", endpoint=sys.argv[1])
    stop = threading.Event()
    # The receiver keeps 10,000 requests, whichever those are.
    def send():
        for _ in range(1500):
            if not stop.wait(0.002):
                client.update_order("busy")
    # A loaded machine must not make asyncio's debug mode complain of slow tasks.
    def patient():
        asyncio.get_running_loop().slow_callback_duration = 60
    async def many():
        patient()
        for _ in range(400):
            if stop.is_set():
                return
            await asyncio.gather(*(background.update_order(n) for n in range(8)))
    threads = [threading.Thread(target=send) for _ in range(3)]
    threads.append(threading.Thread(target=lambda: asyncio.run(many())))
    for thread in threads:
        thread.start()
    async def once():
        patient()
        await background.update_order("from-child")
    def child():
        client.update_order("from-child")
        asyncio.run(once())
        katalys.Client("abcd.com", endpoint=sys.argv[1]).update_order("from-child")
    for _ in range(20):
        in_child(child)
    stop.set()
    for thread in threads:
        thread.join()
    """
    )
    run_python(script, endpoint)
    records = receiver.recorded(run, wait=60)
    assert sum('"from-child"' in record["body"] for record in records) == 60


def test_a_child_that_never_calls_ends_without_waiting_for_the_parents_locks(receiver):
    _, endpoint = receiver.endpoint()
    script = """
    import os, signal, sys, threading, warnings, asyncio, katalys
    warnings.simplefilter("ignore", DeprecationWarning)
    client = katalys.AsyncClient("abcd.com", endpoint=sys.argv[1])
    stop = threading.Event()
    async def many():
        while not stop.is_set():
            await asyncio.gather(*(client.update_order(n) for n in range(8)))
    thread = threading.Thread(target=lambda: asyncio.run(many()))
    thread.start()
    for _ in range(100):
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            del client
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
    stop.set()
    thread.join()
    """
    run_python(script, endpoint)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(receiver, tmp_path, method):
    run, endpoint = receiver.endpoint()
    script = tmp_path / "work.py"
    script.write_text(
        "import logging, multiprocessing, sys, katalys\n"
        "logging.disable()\n"
        "client = katalys.Client('abcd.com', endpoint=sys.argv[1])\n"
        "def send(number):\n"
        "    return client.update_order(number, order_status='Paid')\n"
        "def fail(number):\n"
        "    return client.update_order(number, sale_amount='$')\n"
        "if __name__ == '__main__':\n"
        "    client.update_order('parent')\n"
        "    with multiprocessing.get_context(sys.argv[2]).Pool(3) as pool:\n"
        "        receipts = pool.map(send, range(12))\n"
        "        try:\n"
        "            pool.map(fail, [1])\n"
        "        except katalys.ValidationError as error:\n"
        "            print(error.problems[0].code, receipts[0].warnings[0].code)\n"
        "        pool.close()\n"
        "        pool.join()\n"
    )
    launch = "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    if method == "fork":
        printed = run_python(launch, str(script), endpoint, method)
    else:
        printed = run_file(script, endpoint, method)
    assert printed == "amount_format status_misspelled"
    assert len(receiver.recorded(run, wait=13)) == 13


def run_file(script, *arguments):
    import subprocess
    import sys

    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()
