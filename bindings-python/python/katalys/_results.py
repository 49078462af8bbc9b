# Generated from the core's tables by `make generate`; change core/src/results.rs instead.

"""What calls return, and events."""

import logging
from dataclasses import dataclass, field
from datetime import datetime

from ._native import Problem, Receipt, Ticket, Validation

__all__ = [
    "LEVELS",
    "DeadLetter",
    "Event",
    "Problem",
    "Receipt",
    "Stats",
    "Ticket",
    "Validation",
]

# The level at which each kind of event is logged.
LEVELS = {
    "accepted": logging.DEBUG,
    "delivered": logging.DEBUG,
    "retried": logging.INFO,
    "dead_lettered": logging.ERROR,
    "discarded": logging.WARNING,
    "failed": logging.ERROR,
}


@dataclass(frozen=True)
class Stats:
    """Counters of the updates that an outbox has accepted, in any process: `accepted` always
    equals `delivered` + `pending` + `dead` + `discarded`."""

    __module__ = "katalys"
    accepted: int
    delivered: int
    pending: int
    in_flight: int
    dead: int
    discarded: int
    oldest_pending_seconds: float


@dataclass(frozen=True)
class DeadLetter:
    """An update that will not be sent unless it is replayed. Its `repr` shows no customer
    data."""

    __module__ = "katalys"
    id: int
    order_id: str = field(repr=False)
    site_id: str
    payload: str = field(repr=False)
    status: int | None
    code: str
    reason: str
    died_at: datetime


@dataclass(frozen=True)
class Event:
    """Something happened to an update of the outbox, or to the outbox itself. Holds no
    customer data."""

    __module__ = "katalys"
    kind: str
    id: int
    order: str
    attempts: int
    status: int | None
    code: str | None
