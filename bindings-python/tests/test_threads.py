"""One client, many threads: every update arrives once, and the interpreter is free meanwhile."""

import collections
import threading
import time

import katalys


def in_threads(count, action):
    failures = []

    def guarded(number):
        try:
            action(number)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_every_update_of_every_thread_arrives_once(receiver):
    run, endpoint = receiver.endpoint()
    client = katalys.Client("abcd.com", endpoint=endpoint)

    def send(thread):
        for number in range(50):
            client.update_order(f"{thread}-{number}", order_status="paid")

    in_threads(16, send)
    bodies = collections.Counter(r["body"] for r in receiver.recorded(run, wait=800))
    assert len(bodies) == 800
    assert set(bodies.values()) == {1}


def test_updates_of_one_order_by_one_thread_each_keep_their_order(receiver):
    run, endpoint = receiver.endpoint()
    client = katalys.Client("abcd.com", endpoint=endpoint)

    def send(thread):
        for number in range(30):
            client.update_order(f"order-{thread}", note=str(number))

    in_threads(8, send)
    notes = collections.defaultdict(list)
    for record in receiver.recorded(run, wait=240):
        order, note = record["body"].split('"order_id":"')[1].split('","note":"')
        notes[order].append(int(note.rstrip('"}')))
    assert len(notes) == 8
    assert all(numbers == list(range(30)) for numbers in notes.values())


def test_the_interpreter_is_free_while_a_call_waits(receiver):
    _, endpoint = receiver.endpoint("slow=500")
    client = katalys.Client("abcd.com", endpoint=endpoint)
    call = threading.Thread(target=client.update_order, args=("1",))
    started = time.monotonic()
    call.start()
    turns = 0
    while call.is_alive():
        turns += 1
        time.sleep(0.01)
    assert time.monotonic() - started >= 0.5
    assert turns >= 10


def test_waiting_calls_of_threads_overlap(receiver):
    _, endpoint = receiver.endpoint("slow=300")
    client = katalys.Client("abcd.com", endpoint=endpoint)
    started = time.monotonic()
    in_threads(16, lambda number: client.update_order(number))
    assert time.monotonic() - started < 3, "one after the other would be 4.8 seconds"
