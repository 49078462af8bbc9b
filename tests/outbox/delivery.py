"""Shared by the tests that kill processes: the receiver, delivering the rest, and the checks."""

import collections
import json
import os
import subprocess
import time
import urllib.request


class Receiver:
    """The tests' server, started from RECEIVER."""

    def __init__(self):
        command = [os.environ["RECEIVER"]]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = json.loads(self.process.stdout.readline())

    def endpoint(self, run, steps=("204",)):
        return f"{self.ready['url']}/run/{run}/{'/'.join(steps)}"

    def records(self, run=""):
        """The recorded requests of a run, or of all runs, in order of arrival."""
        path = f"/_recorded/{run}" if run else "/_recorded"
        with urllib.request.urlopen(self.ready["control"] + path) as response:
            return json.load(response)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def delivered(records):
    """Order and note of each record that was answered with 204."""
    answered = [r for r in records if r["step"] == "204" or r["step"].startswith("slow=")]
    bodies = [json.loads(record["body"]) for record in answered if record["body"]]
    return [(body["order_id"], body["note"]) for body in bodies if "note" in body]


def drain(client, timeout=180):
    """Delivers everything. An update whose delivery was interrupted three times is a dead letter,
    which is replayed."""
    deadline = time.monotonic() + timeout
    while True:
        left = client.flush(1)
        letters = client.dead_letters()
        for letter in letters:
            assert letter.code == "interrupted", letter
            client.replay(letter.id)
        if left == 0 and not letters:
            return client.stats()
        assert time.monotonic() < deadline, client.stats()


def check_order(tickets, received):
    """Every update with a ticket arrived, and those of each order in the order of their tickets.

    `tickets` has number, order and note of each ticket, `received` order and note of each request.
    Returns how many distinct updates arrived.
    """
    accepted = collections.defaultdict(list)
    for _, order, note in sorted(tickets):
        accepted[order].append(note)
    arrived = collections.defaultdict(list)
    for order, note in received:
        if arrived[order][-1:] != [note]:  # An immediate repetition is allowed, a later one is not.
            arrived[order].append(note)
    for order, notes in accepted.items():
        known = set(notes)
        came = [note for note in arrived[order] if note in known]
        assert not known - set(came), f"{order}: lost {sorted(known - set(came))}"
        assert came == notes, f"{order}: out of order"
    return sum(map(len, arrived.values()))
