"""What an outbox returns and tells: counters, dead letters, events; and its end with the process.

Imported with the first client that has an outbox.
"""

import atexit
import logging
import os
import sys
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ._native import close_all, report

logger = logging.getLogger("katalys.outbox")

# In seconds; the rest is left in the file.
_LONGEST_END = 5.0
_LEVELS = {
    "accepted": logging.DEBUG,
    "delivered": logging.DEBUG,
    "retried": logging.INFO,
    "dead_lettered": logging.ERROR,
    "discarded": logging.WARNING,
    "failed": logging.ERROR,
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
    """An update that will not be sent unless it is replayed. Its `repr` shows no customer data."""

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
        if "gevent.monkey" in sys.modules:
            from ._gevent import end_thread

            end_thread()


def _tell_one(callback, event):
    """Whatever fails is reported, and the next event is told."""
    try:
        _log(event)
    except BaseException as error:
        report(error, logger)
    if callback is None:
        return
    try:
        callback(event)
    except BaseException as error:
        try:
            logger.exception(
                "on_event failed for update %d (%s)", event.id, event.kind, extra=_extra(event)
            )
        except BaseException:
            report(error, callback)


def dead_letter(*parts, died_at):
    """A dead letter from its parts; the time comes in Unix seconds."""
    return DeadLetter(*parts, datetime.fromtimestamp(died_at, timezone.utc))


def arrange_end():
    """Has every outbox closed at the end of processes that end without `atexit`: the children of
    multiprocessing, and Celery's workers, which do not run multiprocessing's finalizers either
    when they are replaced (`--max-tasks-per-child`)."""
    celery = sys.modules.get("celery.signals")
    if celery is not None and celery not in _arranged:
        _arranged.append(celery)
        celery.worker_process_shutdown.connect(_end, weak=False)
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
    if event.kind == "failed":  # Of no update.
        logger.log(level, "the outbox cannot be used: %s", event.code, extra=_extra(event))
        return
    # The template is the same for all events of a kind with the same cause: tools group by it.
    status = event.status and f"status {event.status}"
    details = list(filter(None, (event.code, status)))
    values = [event.id, event.order]
    if event.attempts:
        details.append("attempt %d")
        values.append(event.attempts)
    kind = event.kind.replace("_", " ")
    said = f"{kind} ({', '.join(details)})" if details else kind
    logger.log(level, f"update %d of order %s: {said}", *values, extra=_extra(event))


def _extra(event):
    return {
        "katalys_event": event.kind,
        "katalys_update": event.id,
        "katalys_order": event.order,
        "katalys_attempts": event.attempts,
        "katalys_status": event.status,
        "katalys_code": event.code,
    }


def _end(**_):
    close_all(_LONGEST_END)


_arranged: list[object] = []

atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=arrange_end)
