"""What an outbox gives and tells: the books, dead letters, events; and its end with the process.

Imported with the first client that has an outbox.
"""

import atexit
import logging
import os
import sys
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ._native import close_all

logger = logging.getLogger("katalys.outbox")

# In seconds; the rest is left in the file.
_LONGEST_END = 5.0
_LEVELS = {
    "accepted": logging.DEBUG,
    "delivered": logging.DEBUG,
    "retried": logging.INFO,
    "dead_lettered": logging.ERROR,
    "discarded": logging.WARNING,
}


@dataclass(frozen=True)
class Stats:
    """What happened to the updates that an outbox accepted: `accepted` always equals `delivered` +
    `pending` + `dead` + `discarded`."""

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
    """An update that will not be sent unless somebody looks into it. Its `repr` shows nothing of
    a customer's."""

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
    """Something happened to an update of the outbox."""

    __module__ = "katalys"
    kind: str
    id: int
    order: str
    attempts: int
    status: int | None
    code: str | None


def tell(batch):
    """Logs events and hands them to the callback, on a thread started for that."""
    threading.current_thread().name = "katalys-events"
    try:
        for parts in batch.parts():
            _tell_one(batch.callback, Event(*parts))
    finally:
        batch.told()


def _tell_one(callback, event):
    try:
        _log(event)
        if callback is not None:
            callback(event)
    except BaseException:
        logger.exception("on_event failed for update %d (%s)", event.id, event.kind)


def dead_letter(*parts, died_at):
    """A dead letter from its parts; the time comes in Unix seconds."""
    return DeadLetter(*parts, datetime.fromtimestamp(died_at, timezone.utc))


def arrange_end():
    """Has every outbox closed at the end of multiprocessing's children, and those of Celery, which
    uses the same registry: they end without `atexit`."""
    util = sys.modules.get("multiprocessing.util")
    if util is None or util in _arranged:
        return
    _arranged.append(util)

    def close_at_exit(_):
        util.Finalize(None, _end, exitpriority=0)

    util.register_after_fork(_end, close_at_exit)
    close_at_exit(None)


def _log(event):
    level = _LEVELS[event.kind]
    if not logger.isEnabledFor(level):
        return
    status = event.status and f"status {event.status}"
    attempts = event.attempts and f"attempt {event.attempts}"
    details = ", ".join(filter(None, (event.code, status, attempts)))
    kind = event.kind.replace("_", " ")
    said = f"{kind} ({details})" if details else kind
    logger.log(level, "update %d of order %s: %s", event.id, event.order, said)


def _end():
    close_all(_LONGEST_END)


_arranged: list[object] = []

atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=arrange_end)
