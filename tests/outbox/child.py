"""Enqueues updates until it is killed, and prints each ticket.

Arguments: file, endpoint, name, mode.
"""

import contextlib
import os
import random
import select
import sys

import katalys

ORDERS = 12
FILE, ENDPOINT, NAME, MODE = sys.argv[1:]

client = katalys.Client(
    "abcd.com",
    outbox=FILE,
    endpoint=ENDPOINT,
    timeout=2,
    workers=8,
    on_rejected="hold",
    deliver=MODE != "write",
)


def enqueue(name):
    number = 0
    while True:
        order, note = f"order-{random.randrange(ORDERS)}", f"{name}-{number}"
        ticket = client.enqueue_update(order, note=note)
        os.write(1, f"{ticket.id} {order} {note}\n".encode())
        number += 1
        if MODE == "wait" and number % 5 == 0:
            wait_for_one(f"{name}-waits-{number}")
        select.select([], [], [], 0.003)  # Unlike time.sleep, this works with faketime.


def wait_for_one(note):
    with contextlib.suppress(katalys.TimeoutError):  # The update stays in the outbox.
        client.update_order(f"order-{random.randrange(ORDERS)}", note=note)


if MODE == "fork":
    client.enqueue_update("order-0", note=f"{NAME}-before")
    for child in "ab":
        if os.fork() == 0:
            random.seed()
            NAME = f"{NAME}-{child}"
            break
enqueue(NAME)
