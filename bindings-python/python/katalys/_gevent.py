# mypy: ignore-errors
"""Waiting calls under gevent: the greenlet waits on the hub, and other greenlets run meanwhile.

Imported when a call is made in a process that gevent has patched."""

from os import getpid
from weakref import WeakKeyDictionary

from gevent import get_hub, getcurrent
from gevent._hub_local import get_hub_if_exists
from gevent.event import AsyncResult

from ._native import Mailbox

_READ = 1
_desks = WeakKeyDictionary()


def desk():
    """Where greenlets of this thread wait; None where there is no greenlet that could."""
    hub = get_hub_if_exists()
    if hub is None:
        return None
    if getcurrent() is hub:
        return None
    found = _desks.get(hub)
    if found is None or found.process != getpid():
        found = _desks[hub] = _Desk()
    return found


def end_thread():
    """Gives back what gevent made for a thread of the system's that is about to end."""
    hub = get_hub_if_exists()
    if hub is not None:
        hub.destroy(destroy_loop=True)


class _Desk:
    """The calls of one hub. The hub watches the mailbox while there are any."""

    __slots__ = ("__weakref__", "_mailbox", "_waiting", "_watcher", "process")

    def __init__(self):
        self.process = getpid()
        self._mailbox = Mailbox()
        self._waiting = {}
        self._watcher = None

    def call(self, client, method, arguments):
        """The result of a call; if the greenlet is killed or times out, the call is given up."""
        submission = getattr(self._mailbox, method)(client, *arguments)
        number, result = submission.number, AsyncResult()
        self._waiting[number] = result
        if self._watcher is None:
            self._watcher = get_hub().loop.io(self._mailbox.fileno(), _READ)
            self._watcher.start(self._receive)
        try:
            outcome = result.get()
        finally:
            if self._waiting.pop(number, None) is not None:
                submission.cancel()
            self._unwatch_when_idle()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _receive(self):
        for number, outcome in self._mailbox.drain():
            result = self._waiting.pop(number, None)
            if result is not None:
                result.set(outcome)
        self._unwatch_when_idle()

    def _unwatch_when_idle(self):
        if self._watcher is not None and not self._waiting:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
