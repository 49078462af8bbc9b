# mypy: ignore-errors
"""Waiting calls under gevent: the greenlet waits on the hub, and other greenlets run meanwhile.

Imported with the first call in a process that gevent has patched."""

from os import getpid
from weakref import WeakKeyDictionary

from gevent import get_hub, getcurrent
from gevent._hub_local import get_hub_if_exists
from gevent.event import AsyncResult

from ._native import CompletionQueue

_READ = 1
_calls_by_hub = WeakKeyDictionary()


def current_calls():
    """The calls of this thread's hub; None for a caller that is not a greenlet, and cannot wait."""
    hub = get_hub_if_exists()
    if hub is None:
        return None
    if getcurrent() is hub:
        return None
    found = _calls_by_hub.get(hub)
    if found is None or found.process != getpid():
        found = _calls_by_hub[hub] = _Calls()
    return found


def end_thread():
    """Frees what gevent allocated for a native thread that is about to end."""
    hub = get_hub_if_exists()
    if hub is not None:
        hub.destroy(destroy_loop=True)


class _Calls:
    """The calls of one hub. The hub watches the completion queue while there are any."""

    __slots__ = ("__weakref__", "_pending", "_queue", "_watcher", "process")

    def __init__(self):
        self.process = getpid()
        self._queue = CompletionQueue()
        self._pending = {}
        self._watcher = None

    def call(self, client, method, arguments):
        """The result of a call, which is cancelled when the greenlet is killed or times out."""
        submission = getattr(self._queue, method)(client, *arguments)
        number, pending = submission.number, AsyncResult()
        self._pending[number] = pending
        if self._watcher is None:
            self._watcher = get_hub().loop.io(self._queue.fileno(), _READ)
            self._watcher.start(self._receive)
        try:
            result = pending.get()
        finally:
            if self._pending.pop(number, None) is not None:
                submission.cancel()
            self._unwatch_when_idle()
        if isinstance(result, BaseException):
            raise result
        return result

    def _receive(self):
        for number, result in self._queue.drain():
            pending = self._pending.pop(number, None)
            if pending is not None:
                pending.set(result)
        self._unwatch_when_idle()

    def _unwatch_when_idle(self):
        if self._watcher is not None and not self._pending:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None
