"""The outbox: what a client with one does, in one process."""

import asyncio
import copy
import dataclasses
import datetime
import gc
import json
import logging
import os
import pickle
import signal
import threading
import time
import weakref

import katalys
import pytest
from support import balanced, notes_by_order, run_python


@pytest.fixture
def outbox(tmp_path):
    return tmp_path / "katalys.db"


@pytest.fixture
def client(receiver, outbox):
    """Creates clients of that outbox: the run of their endpoint, and the client."""
    made = []

    def make(*steps, **options):
        run, endpoint = receiver.endpoint(*steps)
        options = {"endpoint": endpoint, "outbox": outbox, **options}
        made.append(katalys.Client("abcd.com", **options))
        return run, made[-1]

    yield make
    for each in made:
        each.close(timeout=0)


def eventually(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.01)


def test_what_is_enqueued_is_delivered_in_order_and_update_order_waits_its_turn(receiver, client):
    run, sender = client("slow=20")
    tickets = [sender.enqueue_update("1001", order_status="paid", note=str(n)) for n in range(9)]
    receipt = sender.update_order("1001", order_status="paid", note="waited")
    report = sender.enqueue_report("1002", sale_amount="1", note="report", **REPORT)
    assert sender.flush() == 0
    assert [ticket.id for ticket in [*tickets, report]] == [*range(1, 10), 11]
    assert receipt.attempts == 1
    notes = notes_by_order(receiver.recorded(run, wait=11))
    assert notes == {"1001": [*map(str, range(9)), "waited"], "1002": ["report"]}
    stats = balanced(sender.stats())
    assert (stats.accepted, stats.delivered, stats.oldest_pending_seconds) == (11, 11, 0)


REPORT = {
    "order_time": datetime.datetime(2018, 1, 1, tzinfo=datetime.timezone.utc),
    "subtotal_amount": "1",
    "email_address": "jane@secret.example",
}


def test_a_wrong_update_is_refused_and_not_kept(client):
    _, sender = client(deliver=False)
    with pytest.raises(katalys.ValidationError) as caught:
        sender.enqueue_update("1001", sale_amount="$1")
    assert caught.value.problems[0].code == "amount_format"
    with pytest.raises(katalys.ValidationError):
        sender.enqueue_report("1001")
    assert sender.stats().accepted == 0


@pytest.mark.parametrize("call", [
    lambda client: client.enqueue_update("1", sale_amount="$"),
    lambda client: client.enqueue_report("1"),
    lambda client: client.stats(),
    lambda client: client.flush(),
    lambda client: client.dead_letters(),
    lambda client: client.replay(1),
    lambda client: client.discard(1),
    lambda client: client.edit(1, note="x"),
    lambda client: katalys.Client("abcd.com", on_event=print),
    lambda client: katalys.Client("abcd.com", durability="normal"),
])  # fmt: skip
def test_without_an_outbox_the_error_says_what_to_set(call):
    client = katalys.Client("abcd.com")
    with pytest.raises(katalys.ConfigError, match="outbox"):
        call(client)
    with client:
        pass


def test_a_full_outbox_refuses_and_keeps_what_it_has(client):
    _, sender = client(deliver=False, capacity_rows=2)
    first = sender.enqueue_update("1")
    sender.enqueue_update("2")
    with pytest.raises(katalys.OutboxFullError, match="2 updates") as caught:
        sender.enqueue_update("3")
    error = caught.value
    assert isinstance(error, katalys.OutboxError)
    assert (error.code, error.retryable, first.id) == ("outbox_full", True, 1)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert balanced(sender.stats()).pending == 2


def test_an_outbox_that_cannot_be_opened_is_an_outbox_error(tmp_path):
    with pytest.raises(katalys.OutboxError) as caught:
        katalys.Client("abcd.com", outbox=tmp_path / "missing" / "katalys.db")
    assert caught.value.code == "outbox_failed"


def test_a_file_that_is_no_outbox_is_refused_and_left_as_it_is(outbox):
    outbox.write_bytes(b"this is no database " * 500)
    with pytest.raises(katalys.OutboxError) as caught:
        katalys.Client("abcd.com", outbox=outbox)
    assert (caught.value.code, caught.value.retryable) == ("outbox_foreign", False)
    assert outbox.read_bytes() == b"this is no database " * 500
    assert [file.name for file in outbox.parent.iterdir()] == [outbox.name]


def test_dead_letters_are_listed_edited_replayed_and_discarded(receiver, client, caplog):
    run, sender = client("400", "400", "400", "204")
    for number in (1, 2, 3):
        sender.enqueue_update(f"order-{number}", order_status="paid", note="jane@secret.example")
        assert sender.flush() == 0
    letters = sender.dead_letters()
    assert [letter.id for letter in letters] == [1, 2, 3]
    assert [letter.id for letter in sender.dead_letters(after=1, limit=1)] == [2]
    first = letters[0]
    assert (first.order_id, first.site_id, first.status) == ("order-1", "abcd.com", 400)
    assert (first.code, json.loads(first.payload)["order_status"]) == ("rejected", "paid")
    age = datetime.datetime.now(datetime.timezone.utc) - first.died_at
    assert abs(age.total_seconds()) < 60
    assert "secret" not in repr(letters) + caplog.text
    assert "order-1" not in repr(letters)

    assert sender.edit(1, {"order_status": "refunded"}, note=None) is True
    with pytest.raises(katalys.ValidationError):
        sender.edit(2, sale_amount="$1")
    assert sender.replay(1) is True
    assert sender.flush() == 0
    assert sender.discard(2) is True
    assert [sender.edit(9, note="x"), sender.replay(9), sender.discard(2)] == [False] * 3
    [*_, replayed] = receiver.recorded(run, wait=4)
    expected = {"site_id": "abcd.com", "order_id": "order-1", "order_status": "refunded"}
    assert json.loads(replayed["body"]) == expected
    stats = balanced(sender.stats())
    assert (stats.delivered, stats.dead, stats.discarded) == (1, 1, 1)
    eventually(lambda: "update 2" in caplog.text and "discarded" in caplog.text)


def test_a_rejected_update_that_holds_stops_its_order_only(client):
    _, sender = client("400", "204", on_rejected="hold")
    sender.enqueue_update("1", note="refused")
    sender.enqueue_update("1", note="held")
    eventually(lambda: sender.stats().dead == 1)
    sender.enqueue_update("2")
    assert sender.flush(timeout=0.5) == 1
    sender.discard(1)
    assert sender.flush() == 0
    assert balanced(sender.stats()).delivered == 2


def test_update_order_raises_what_the_endpoint_said(client):
    _, sender = client("400")
    with pytest.raises(katalys.RejectedError) as caught:
        sender.update_order("1")
    assert caught.value.status == 400
    assert balanced(sender.stats()).dead == 1


def test_a_state_that_goes_back_is_a_warning_and_a_repetition_can_collapse(client, caplog):
    _, sender = client(deliver=False, collapse=True)
    refunded = sender.enqueue_update("1", order_status="refunded")
    assert sender.enqueue_update("1", order_status="refunded") == refunded
    for status in ("paid", "pending"):
        stale = sender.enqueue_update("1", order_status=status)
        assert [warning.code for warning in stale.warnings] == ["status_stale"]
    said = [record.name for record in caplog.records if "[status_stale]" in record.getMessage()]
    assert said == ["katalys"], "each warning once"
    assert sender.stats().accepted == 3


def test_values_can_be_compared_copied_and_sent_on_but_not_changed():
    problem = katalys.Problem("order_status", "status_stale", "goes back", "warning")
    now = datetime.datetime.now(datetime.timezone.utc)
    values = [
        katalys.Ticket(1, [problem]),
        katalys.Stats(5, 1, 2, 1, 1, 1, 0.5),
        katalys.DeadLetter(1, "1001", "abcd.com", "{}", 400, "rejected", "refused", now),
        katalys.Event("delivered", 1, "0" * 16, 1, None, None),
    ]
    for value in values:
        for copied in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
            assert copied == value
        assert value != object()
        assert type(value).__module__ == "katalys"
        assert repr(value).startswith(f"{type(value).__name__}(")
        with pytest.raises(AttributeError):
            value.id = 2
    assert dataclasses.asdict(values[1])["pending"] == 2
    match values[0]:
        case katalys.Ticket(number, warnings):
            assert (number, warnings) == (1, [problem])


def test_events_go_to_the_callback_and_to_the_log(client, caplog):
    caplog.set_level(logging.DEBUG, logger="katalys.outbox")
    events = []
    _, sender = client("503", "400", "204", on_event=events.append)
    sender.enqueue_update("jane@secret.example", email_address="jane@secret.example")
    assert sender.flush() == 0
    sender.discard(1)
    sender.enqueue_update("2")
    sender.flush()
    sender.close()
    kinds = ["accepted", "retried", "dead_lettered", "discarded", "accepted", "delivered"]
    assert [event.kind for event in events] == kinds
    _, retried, dead, *_ = events
    assert (retried.code, retried.status, retried.attempts) == ("unavailable", 503, 1)
    assert (dead.code, dead.status, dead.attempts) == ("rejected", 400, 2)
    [order] = {event.order for event in events if event.id == 1}
    assert len(order) == 16
    int(order, 16)
    levels = ["DEBUG", "INFO", "ERROR", "WARNING", "DEBUG", "DEBUG"]
    assert [record.levelname for record in caplog.records] == levels
    assert {record.name for record in caplog.records} == {"katalys.outbox"}
    assert caplog.messages[2] == (
        f"update 1 of order {order}: dead lettered (rejected, status 400, attempt 2)"
    )
    assert "secret" not in caplog.text + repr(events)


def test_events_name_the_order_on_request(client):
    events = []
    _, sender = client(on_event=events.append, event_order_ids="plain")
    sender.enqueue_update("1001")
    sender.flush()
    sender.close()
    assert {event.order for event in events} == {"1001"}


def test_a_callback_that_fails_is_logged_and_misses_nothing(client, caplog):
    seen = []

    def fail(event):
        seen.append(event.kind)
        raise [ValueError, SystemExit][len(seen) % 2]("mine")

    _, sender = client(on_event=fail)
    sender.enqueue_update("1")
    sender.flush()
    sender.close()
    assert seen == ["accepted", "delivered"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "on_event failed for update 1 (delivered)" in caplog.text
    assert "ValueError: mine" in caplog.text
    with pytest.raises(katalys.Error, match="on_event"):
        client(on_event="print")


def test_no_logger_and_no_listener_stops_an_update(client, monkeypatch, receiver):
    reported = []
    monkeypatch.setattr("sys.unraisablehook", lambda each: reported.append(str(each.exc_value)))
    logger = logging.getLogger("katalys.outbox")

    def fail(*_, **__):
        raise RuntimeError("logger")

    def fail_too(_):
        raise RuntimeError("listener")

    run, sender = client(on_event=fail_too)
    _, quiet = client()
    monkeypatch.setattr(logger, "isEnabledFor", fail)
    monkeypatch.setattr(logger, "exception", fail)
    assert [sender.enqueue_update("1").id, quiet.enqueue_update("2").id] == [1, 2]
    assert sender.flush() == 0
    sender.close()
    quiet.close()
    assert len(receiver.recorded(run, wait=1)) >= 1
    assert {"logger", "listener"} == set(reported)


def test_log_records_can_be_grouped_and_filtered(client, caplog):
    _, sender = client("400")
    for number in range(2):
        sender.enqueue_update(number, order_status="Paid")
    sender.flush()
    sender.close()
    dead = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(dead) == 2
    assert len({record.msg for record in dead}) == 1, "a template for all of a kind"
    assert {record.katalys_update for record in dead} == {1, 2}
    assert {(each.katalys_event, each.katalys_code, each.katalys_status) for each in dead} == {
        ("dead_lettered", "rejected", 400)
    }
    [warning] = [record for record in caplog.records if record.name == "katalys"]
    assert warning.msg == "%s [status_misspelled]"
    assert (warning.katalys_code, warning.katalys_path) == ("status_misspelled", "order_status")


def test_closing_without_an_outbox_is_no_error():
    client = katalys.Client("abcd.com")
    assert client.close() == 0
    assert asyncio.run(katalys.AsyncClient("abcd.com").close()) == 0
    katalys.shutdown()


def test_a_callback_may_use_its_client_and_both_can_be_collected(client, receiver, outbox):
    class Watch:
        def __init__(self, endpoint):
            options = {"endpoint": endpoint, "outbox": outbox, "on_event": self.heard}
            self.client, self.stats = katalys.Client("abcd.com", **options), []

        def heard(self, event):
            self.stats.append(self.client.stats().accepted)

    watch = Watch(receiver.endpoint()[1])
    watch.client.enqueue_update("1")
    watch.client.flush()
    eventually(lambda: watch.stats == [1, 1])
    gone = weakref.ref(watch)
    watch.client.close()
    watch = None
    eventually(lambda: gc.collect() is not None and gone() is None)


def test_without_a_listener_no_event_thread_is_started(receiver, outbox):
    script = """
        import logging, os, pathlib, sys, katalys
        def threads():
            tasks = pathlib.Path("/proc/self/task").iterdir()
            return {(task / "comm").read_text().strip() for task in tasks}
        client = katalys.Client("abcd.com", endpoint=sys.argv[1], outbox=sys.argv[2])
        before = threads()
        client.enqueue_update("1")
        client.flush()
        quiet = threads()
        logging.getLogger("katalys.outbox").setLevel(logging.DEBUG)
        logging.getLogger("katalys.outbox").addHandler(logging.StreamHandler(sys.stdout))
        client.enqueue_update("2")
        client.flush()
        client.close()
        print(len(before), "katalys-outbox" in quiet, "katalys-events" in quiet)
    """
    printed = run_python(script, receiver.endpoint()[1], str(outbox)).splitlines()
    assert printed[-1] == "1 True False"
    assert [line.rsplit(": ", 1)[1] for line in printed[:-1]] == [
        "accepted",
        "delivered (attempt 1)",
    ]


def test_flush_says_how_many_are_left_and_close_leaves_them_to_the_next(receiver, client):
    run, first = client("hang", "204", timeout=1)
    for number in range(3):
        first.enqueue_update("1", note=str(number))
    assert first.flush(timeout=0.2) == 3
    started = time.monotonic()
    assert first.close() == 3
    assert time.monotonic() - started < 5
    first.enqueue_update("1", note="3")
    assert balanced(first.stats()).pending == 4
    run, second = client()
    assert second.flush() == 0
    assert notes_by_order(receiver.recorded(run, wait=4)) == {"1": ["0", "1", "2", "3"]}


@pytest.mark.parametrize(
    "timeout", [-1, float("nan"), float("inf"), float("-inf"), 31622401, 1e300, "soon"]
)
def test_a_timeout_is_a_number_of_seconds(client, timeout):
    _, sender = client(deliver=False)
    for wait in (sender.flush, sender.close):
        with pytest.raises((katalys.Error, TypeError)) as caught:
            wait(timeout)
        if timeout != "soon":
            assert caught.value.code == "misuse"
            assert "up to 31622400 (366 days)" in str(caught.value)
    sender.enqueue_update("1")
    assert sender.close(timeout=31622400) == 1


@pytest.fixture
def ctrl_c():
    """A shell may have started the tests with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_flush(client):
    _, sender = client("hang", timeout=30)
    sender.enqueue_update("1")
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sender.flush(timeout=60)
    assert time.monotonic() - started < 20


def test_the_interpreter_is_free_while_a_row_is_written_and_flush_waits(client):
    _, sender = client("slow=500")
    sender.enqueue_update("1")
    ticks = 0
    flushing = threading.Thread(target=sender.flush)
    flushing.start()
    while flushing.is_alive():
        ticks += 1
        time.sleep(0.005)
    assert ticks >= 20


def test_threads_that_enqueue_together_keep_each_orders_order(receiver, client):
    run, sender = client()
    tickets = []

    def enqueue(order):
        for number in range(60):
            tickets.append(sender.enqueue_update(order, note=str(number)).id)

    threads = [threading.Thread(target=enqueue, args=(f"order-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(tickets) == list(range(1, 481))
    assert sender.flush(timeout=60) == 0
    notes = notes_by_order(receiver.recorded(run, wait=480))
    assert notes == {f"order-{n}": [str(number) for number in range(60)] for n in range(8)}
    assert balanced(sender.stats()).delivered == 480


def test_the_file_is_its_owners_alone(client, outbox):
    client(deliver=False)[1].enqueue_update("1")
    assert {path.stat().st_mode & 0o077 for path in outbox.parent.glob("katalys.db*")} == {0}


def test_a_file_that_disappears_is_reported_at_once_and_gives_no_ticket(client, outbox, caplog):
    heard = []
    _, sender = client("204", on_event=heard.append)
    sender.enqueue_update("1001", order_status="paid")
    assert sender.flush() == 0
    outbox.unlink()
    eventually(lambda: any(event.kind == "failed" for event in heard))
    for call in (lambda: sender.enqueue_update("1002", order_status="paid"), sender.stats):
        with pytest.raises(katalys.OutboxError) as caught:
            call()
        assert (caught.value.code, caught.value.retryable) == ("outbox_moved", False)
    eventually(lambda: "the outbox cannot be used: outbox_moved" in caplog.messages)
