"""Signal handlers run while a call waits, and an exception they raise ends it at once."""

import json

import katalys
import pytest
from support import run_python

PREFIX = """
    import logging, os, signal, socket, sqlite3, subprocess, sys, threading, time, katalys
    logging.disable()
    endpoint, outbox = sys.argv[1:3]
    def client(**options):
        return katalys.Client("abcd.com", **{"endpoint": endpoint, "timeout": 20, **options})
    class TooLong(Exception):
        pass
    def stop(*_):
        raise TooLong
    signal.signal(signal.SIGALRM, stop)
    def late_by(call, after=0.3):
        "How long after the signal the call ended."
        due = time.monotonic() + after
        signal.setitimer(signal.ITIMER_REAL, after)
        try:
            call()
        except TooLong:
            return time.monotonic() - due
        raise AssertionError("the call ended by itself")
    def background(call):
        threading.Thread(target=call, daemon=True).start()
        time.sleep(0.2)
"""

CALLS = {
    "waiting for the answer": """
        own = client()
        call = lambda: own.update_order("1")
    """,
    "report_order": """
        own = client()
        order = {"sale_amount": 1, "subtotal_amount": 1, "email_address": "email@example.com"}
        call = lambda: own.report_order("1", order)
    """,
    "behind an earlier update of the order": """
        own = client()
        background(lambda: own.update_order("1"))
        call = lambda: own.update_order("1")
    """,
    "between two attempts": """
        own = client(endpoint=endpoint.replace("hang", "503:retry-after=5"))
        call = lambda: own.update_order("1")
    """,
    "connecting": """
        full = socket.socket()
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        own = client(endpoint=f"http://127.0.0.1:{full.getsockname()[1]}/", connect_timeout=15)
        call = lambda: own.update_order("1")
    """,
    "update_order with an outbox": """
        own = client(outbox=outbox)
        call = lambda: own.update_order("1")
    """,
    "flush": """
        own = client(outbox=outbox)
        own.enqueue_update("1")
        call = lambda: own.flush(20)
    """,
    "close": """
        own = client(outbox=outbox)
        own.enqueue_update("1")
        time.sleep(0.3)
        call = lambda: own.close(20)
    """,
    "enqueue_update while the file is locked": """
        own = client(outbox=outbox, deliver=False)
        own.enqueue_update("1")
        holder = subprocess.Popen([sys.executable, "-c", '''if True:
            import sqlite3, sys
            file = sqlite3.connect(sys.argv[1], isolation_level=None)
            file.execute("BEGIN IMMEDIATE")
            print("locked", flush=True)
            sys.stdin.read()
        ''', outbox], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert holder.stdout.readline() == b"locked\\n"
        call = lambda: own.enqueue_update("2")
        done = lambda: (holder.communicate(), own.enqueue_update("3"))
    """,
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_a_handler_raises_ends_the_call(receiver, tmp_path, call):
    _, endpoint = receiver.endpoint("hang")
    script = (
        PREFIX
        + call.replace("\n    ", "\n")
        + """
    # A machine under load may be late once.
    print(min(late_by(call) for _ in range(3)), flush=True)
    if "done" in globals():
        done()
    os._exit(0)
    """
    )
    late = float(run_python(script, endpoint, tmp_path / "katalys.db"))
    assert late < 0.1


def test_ctrl_c_and_handlers_that_raise_nothing(receiver):
    _, endpoint = receiver.endpoint("slow=800")
    script = (
        PREFIX
        + """
    # A shell may have started the tests with the signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    own, heard = client(), []
    signal.signal(signal.SIGALRM, lambda *_: heard.append(time.monotonic()))
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    receipt = own.update_order("1")
    assert len(heard) >= 5, heard
    signal.setitimer(signal.ITIMER_REAL, 0)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    try:
        own.update_order("1")
    except KeyboardInterrupt:
        print(receipt.attempts, time.monotonic() - began < 0.5)
    """
    )
    assert run_python(script, endpoint, "") == "1 True"


def test_an_interrupted_update_is_sent_once_and_keeps_its_place(receiver):
    run, endpoint = receiver.endpoint("slow=1000")
    script = (
        PREFIX
        + """
    own = client()
    late_by(lambda: own.update_order("1", note="first"))
    own.update_order("1", note="second")
    own.update_order("2", note="first")
    """
    )
    run_python(script, endpoint, "")
    records = receiver.recorded(run, wait=3)
    first, second = (r for r in records if json.loads(r["body"])["order_id"] == "1")
    assert json.loads(first["body"])["note"] == "first"
    assert json.loads(second["body"])["note"] == "second"
    assert len(records) == 3


def test_an_update_that_was_not_sent_yet_is_given_up(receiver):
    run, endpoint = receiver.endpoint("slow=1000")
    script = (
        PREFIX
        + """
    own = client()
    earlier = threading.Thread(target=own.update_order, args=("1",))
    earlier.start()
    time.sleep(0.2)
    late_by(lambda: own.update_order("1", note="given up"), 0.2)
    earlier.join()
    own.update_order("1")
    """
    )
    run_python(script, endpoint, "")
    bodies = [record["body"] for record in receiver.recorded(run, wait=2)]
    assert len(bodies) == 2
    assert "given up" not in "".join(bodies)


def test_a_task_that_is_tried_again_sends_once(receiver, tmp_path):
    """As Celery's `autoretry_for`, with the property that a task needs: `retryable`."""
    run, endpoint = receiver.endpoint("503", "503", "503", "503", "204")
    outbox = tmp_path / "katalys.db"
    tickets = []
    with katalys.Client("abcd.com", endpoint=endpoint, outbox=outbox, timeout=0.3) as client:
        for _ in range(5):
            try:
                client.update_order("1001", order_status="refunded")
            except katalys.Error as error:
                tickets.append(error.ticket)
                if error.retryable:
                    continue
            break
        assert tickets == [1]
        assert client.flush(20) == 0
        assert client.stats().accepted == 1
    statuses = [record["step"] for record in receiver.recorded(run, wait=5)]
    assert statuses == ["503"] * 4 + ["204"]


def test_a_rejected_update_of_an_outbox_names_its_ticket(receiver, tmp_path):
    _, endpoint = receiver.endpoint("400")
    with katalys.Client("abcd.com", endpoint=endpoint, outbox=tmp_path / "katalys.db") as client:
        with pytest.raises(katalys.RejectedError) as caught:
            client.update_order("1")
        assert caught.value.ticket == client.dead_letters()[0].id == 1
    with pytest.raises(katalys.RejectedError) as caught:
        katalys.Client("abcd.com", endpoint=endpoint).update_order("1")
    assert caught.value.ticket is None
