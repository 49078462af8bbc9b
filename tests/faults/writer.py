"""Enqueues updates until it is killed, and records each ticket; disk errors are expected.

Arguments: file, endpoint, name, `write` or `deliver`, log.
"""

import collections
import os
import random
import sys
import time

import katalys

ORDERS = 8
FILE, ENDPOINT, NAME, MODE, LOG = sys.argv[1:]
log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
codes = collections.Counter()


def record(line):
    os.write(log, f"{line}\n".encode())
    os.fsync(log)


def failed(error):
    """Records each error code once."""
    codes[error.code] += 1
    if codes[error.code] == 1:
        record(f"error {error.code}")
    time.sleep(0.005)


def make_client():
    while True:
        try:
            return katalys.Client(
                "abcd.com", outbox=FILE, endpoint=ENDPOINT, timeout=2, deliver=MODE == "deliver"
            )
        except katalys.OutboxError as error:
            failed(error)


def main():
    client = make_client()
    number = 0
    while True:
        number += 1
        order, note = f"order-{random.randrange(ORDERS)}", f"{NAME}-{number}"
        try:
            ticket = client.enqueue_update(order, note=note)
        except katalys.OutboxError as error:
            failed(error)
            continue
        record(f"ticket {ticket.id} {order} {note}")
        time.sleep(0.002)


main()
