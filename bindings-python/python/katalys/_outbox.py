"""Delivers the events of outboxes to the log and to callbacks, and closes outboxes at the end of
the process.

Imported with the first client that has an outbox.
"""

import atexit
import logging
import os
import sys
import threading

from ._native import close_all, report
from ._results import LEVELS

logger = logging.getLogger("katalys.outbox")


def dispatch(batch):
    """Logs events and hands them to the callback; runs on a thread of its own."""
    threading.current_thread().name = "katalys-events"
    try:
        for event in batch.events():
            _dispatch_one(batch.callback, event)
    finally:
        batch.done()
        if "gevent.monkey" in sys.modules:
            from ._gevent import end_thread

            end_thread()


def _dispatch_one(callback, event):
    """Dispatches one event. Reports any exception, so that the next event is dispatched."""
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


def register_exit_hooks():
    """Closes every outbox at the end of processes that end without `atexit`: the children of
    multiprocessing, and Celery's workers, which do not run multiprocessing's finalizers either
    when they are replaced (`--max-tasks-per-child`)."""
    celery = sys.modules.get("celery.signals")
    if celery is not None and celery not in _hooked:
        _hooked.append(celery)
        celery.worker_process_shutdown.connect(_close_all, weak=False)
    util = sys.modules.get("multiprocessing.util")
    if util is None or util in _hooked:
        return
    _hooked.append(util)

    def close_at_exit(_):
        util.Finalize(None, _close_all, exitpriority=0)

    util.register_after_fork(_close_all, close_at_exit)
    close_at_exit(None)


def _log(event):
    level = LEVELS[event.kind]
    if not logger.isEnabledFor(level):
        return
    if event.kind == "failed":  # Not about an update.
        logger.log(level, "the outbox cannot be used: %s", event.code, extra=_extra(event))
        return
    # The template is the same for all events of a kind with the same cause, so that tools can group
    # records by it.
    status = event.status and f"status {event.status}"
    details = list(filter(None, (event.code, status)))
    values = [event.id, event.order]
    if event.attempts:
        details.append("attempt %d")
        values.append(event.attempts)
    kind = event.kind.replace("_", " ")
    text = f"{kind} ({', '.join(details)})" if details else kind
    logger.log(level, f"update %d of order %s: {text}", *values, extra=_extra(event))


# Names of a log record's attributes that differ from those of the event's fields.
_ATTRIBUTES = {"kind": "event", "id": "update"}


def _extra(event):
    fields = vars(event).items()
    return {f"katalys_{_ATTRIBUTES.get(name, name)}": value for name, value in fields}


def _close_all(**_):
    close_all()


# Modules whose exit hooks are registered.
_hooked: list[object] = []

atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=register_exit_hooks)
