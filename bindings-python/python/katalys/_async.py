"""The client for asyncio: no thread waits per call, and no thread of this package ever needs the
interpreter."""

from asyncio import get_running_loop
from os import getpid
from weakref import WeakKeyDictionary, WeakMethod, ref

from ._native import Client, CompletionQueue


class AsyncClient:
    """Reports orders of one site from asyncio. Keep it. It works after a fork, and in several event
    loops, one after the other or at the same time in several threads."""

    __module__ = "katalys"
    __slots__ = ("__weakref__", "_calls", "_client")

    def __init__(self, site_id=None, *, on_event=None, **options):
        self._client = Client(site_id, on_event=on_event, **options)
        self._calls = WeakKeyDictionary()

    async def update_order(self, order_id, fields=None, **more):
        """Reports an update of an order and waits until the endpoint has received it.

        Fields are keyword arguments, one mapping (or dataclass), or both. Cancelled before
        its request is made, it makes none; a request in flight is finished.
        """
        return await self._call(CompletionQueue.update_order, order_id, fields, more)

    async def report_order(self, order_id, fields=None, **more):
        """Reports a whole order, with the fields that the endpoint requires, and waits until the
        endpoint has received it. Without an `order_time`, the time of the call is sent.

        Fields are keyword arguments, one mapping (or dataclass), or both. Cancelled before
        its request is made, it makes none; a request in flight is finished.
        """
        return await self._call(CompletionQueue.report_order, order_id, fields, more)

    async def enqueue_update(self, order_id, fields=None, **more):
        """Accepts an update of an order, and returns when it is on disk. It is sent in the
        background, after the earlier updates of the same order.

        Fields are keyword arguments, one mapping (or dataclass), or both. Cancelled, the update
        may be accepted all the same.
        """
        return await self._call(CompletionQueue.enqueue_update, order_id, fields, more)

    async def enqueue_report(self, order_id, fields=None, **more):
        """Accepts a whole order, with the fields that the endpoint requires, and returns when it is
        on disk. Without an `order_time`, the time of the call is sent.

        Fields are keyword arguments, one mapping (or dataclass), or both. Cancelled, the update
        may be accepted all the same.
        """
        return await self._call(CompletionQueue.enqueue_report, order_id, fields, more)

    async def stats(self):
        """Counters of the outbox; `accepted` always equals delivered + pending + dead +
        discarded."""
        return await self._call(CompletionQueue.stats)

    async def flush(self, timeout=None):
        """Waits until nothing is pending, up to `timeout` seconds (10 by default); returns the
        number of pending updates."""
        return await self._call(CompletionQueue.flush, timeout)

    async def close(self, timeout=None):
        """Ends delivery: no further request is made, and those in flight are finished, up to
        `timeout` seconds (10 by default). Returns the number of updates left in the file for the
        next process; 0 without an outbox."""
        return await self._call(CompletionQueue.close, timeout)

    async def dead_letters(self, after=0, limit=None):
        """Dead letters whose number is above `after`, in order, up to `limit` of them (1,000 by
        default)."""
        return await self._call(CompletionQueue.dead_letters, after, limit)

    async def replay(self, id):
        """Puts a dead letter back into its order's lane, at its old place. False if there is
        none."""
        return await self._call(CompletionQueue.replay, id)

    async def discard(self, id):
        """Removes a dead letter, and counts it as discarded. False if there is none."""
        return await self._call(CompletionQueue.discard, id)

    async def edit(self, id, fields=None, **more):
        """Changes fields of a dead letter and keeps all others; `None` removes one. False if there
        is no such dead letter."""
        return await self._call(CompletionQueue.edit, id, fields, more)

    def validate_update(self, order_id, fields=None, **more):
        """Checks what `update_order` would send, at once, and sends nothing. Not a coroutine."""
        return self._client.validate_update(order_id, fields, **more)

    def validate_report(self, order_id, fields=None, **more):
        """Checks what `report_order` would send, at once, and sends nothing. Not a coroutine."""
        return self._client.validate_report(order_id, fields, **more)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        """Closes the outbox, if there is one."""
        await self.close()

    def __reduce__(self):
        return self._client.__reduce__()

    def __repr__(self):
        return repr(self._client).replace("Client", "AsyncClient", 1)

    async def _call(self, start, *arguments):
        loop = get_running_loop()
        calls = self._calls_of(loop)
        return await calls.wait_for(start(calls.queue, self._client, *arguments), loop)

    def _calls_of(self, loop):
        calls = self._calls.get(loop)
        if calls is None or calls.process != getpid():
            calls = self._calls[loop] = _Calls(loop)
        return calls


class _Calls:
    """The calls of one event loop. The loop watches the completion queue only while there are any,
    so that nothing has to be cleaned up when it closes.

    Holds no reference to its loop, which would keep it alive."""

    __slots__ = ("__weakref__", "_pending", "_watched", "process", "queue")

    def __init__(self, loop):
        self.process = getpid()
        self._pending = {}
        self.queue = CompletionQueue()
        self._watched = False
        try:
            self._watch(loop)
            self._unwatch(loop)
        except NotImplementedError:
            # The loop cannot watch sockets, such as the proactor loop of Windows.
            self._watched = True
            self.queue = CompletionQueue(_Wake(loop, self._receive))

    async def wait_for(self, submission, loop):
        """The result of a call, which is cancelled with the caller's task."""
        future = loop.create_future()
        number = submission.number
        self._pending[number] = future
        if not self._watched:
            self._watch(loop)
        try:
            result = await future
        finally:
            if self._pending.pop(number, None) is not None:
                submission.cancel()
                self._unwatch_when_idle(loop)
        if isinstance(result, BaseException):
            raise result
        return result

    def _receive(self):
        pending = self._pending
        for number, result in self.queue.drain():
            future = pending.pop(number, None)
            # Not `set_exception`: asyncio would log an exception that no task retrieves.
            if future is not None and not future.done():
                future.set_result(result)
        self._unwatch_when_idle(get_running_loop())

    def _watch(self, loop):
        loop.add_reader(self.queue.fileno(), self._receive)
        self._watched = True

    def _unwatch_when_idle(self, loop):
        if self._watched and not self._pending:
            self._unwatch(loop)

    def _unwatch(self, loop):
        loop.remove_reader(self.queue.fileno())
        self._watched = False


class _Wake:
    """Wakes a loop that cannot watch a socket; keeps neither the loop nor its calls alive."""

    __slots__ = ("_loop", "_receive")

    def __init__(self, loop, receive):
        self._loop = ref(loop)
        self._receive = WeakMethod(receive)

    def __call__(self):
        loop, receive = self._loop(), self._receive()
        if loop is not None and receive is not None:
            loop.call_soon_threadsafe(receive)
