"""The client for asyncio: no thread waits for an answer on behalf of a call, and no thread of
this package ever needs the interpreter."""

from asyncio import get_running_loop
from os import getpid
from weakref import WeakKeyDictionary, WeakMethod, ref

from ._native import Client, Mailbox


class AsyncClient:
    """Reports orders of one site from asyncio. Made to be kept; good across fork, and for several
    event loops, one after the other or at once in several threads."""

    __module__ = "katalys"
    __slots__ = ("__weakref__", "_client", "_desks")

    def __init__(self, site_id=None, *, on_event=None, **options):
        self._client = Client(site_id, on_event=on_event, **options)
        self._desks = WeakKeyDictionary()

    async def update_order(self, order_id, fields=None, **more):
        """Reports what became of an order and waits until the endpoint has it.

        Fields are keyword arguments, one mapping (or dataclass), or both. Cancelled while no
        request has been made yet, none will be; one that is under way runs to its end.
        """
        return await self._call(Mailbox.update_order, order_id, fields, more)

    async def report_order(self, order_id, fields=None, **more):
        """Reports an order as a whole, with the fields the endpoint requires of it, and waits
        until the endpoint has it. Without an `order_time`, the time of the call is sent.

        Fields are keyword arguments, one mapping (or dataclass), or both. Cancelled while no
        request has been made yet, none will be; one that is under way runs to its end.
        """
        return await self._call(Mailbox.report_order, order_id, fields, more)

    async def enqueue_update(self, order_id, fields=None, **more):
        """Accepts what became of an order, and returns when it is safe on disk. It is sent in the
        background, after the earlier updates of the same order.

        Fields are keyword arguments, one mapping (or dataclass), or both. Cancelled, the update
        may be accepted all the same.
        """
        return await self._call(Mailbox.enqueue_update, order_id, fields, more)

    async def enqueue_report(self, order_id, fields=None, **more):
        """Accepts an order as a whole, with the fields the endpoint requires of it, and returns
        when it is safe on disk. Without an `order_time`, the time of the call is sent.

        Fields are keyword arguments, one mapping (or dataclass), or both. Cancelled, the update
        may be accepted all the same.
        """
        return await self._call(Mailbox.enqueue_report, order_id, fields, more)

    async def stats(self):
        """Counters of the outbox; `accepted` is always the sum of delivered, pending, dead and
        discarded."""
        return await self._call(Mailbox.stats)

    async def flush(self, timeout=10.0):
        """Waits until nothing is pending, up to `timeout` seconds; returns the number of pending
        updates."""
        return await self._call(Mailbox.flush, timeout)

    async def close(self, timeout=10.0):
        """Ends delivery: no further request is made, and those in flight are finished, up to
        `timeout` seconds. Returns the number of updates left in the file for the next process; 0
        without an outbox."""
        return await self._call(Mailbox.close, timeout)

    async def dead_letters(self, after=0, limit=1000):
        """Updates that the endpoint rejected for good: those whose number is above `after`, in
        order, at most `limit`."""
        return await self._call(Mailbox.dead_letters, after, limit)

    async def replay(self, id):
        """Puts a dead letter back into its order's lane, at its old place. False if there is
        none."""
        return await self._call(Mailbox.replay, id)

    async def discard(self, id):
        """Removes a dead letter for good; it is counted. False if there is none."""
        return await self._call(Mailbox.discard, id)

    async def edit(self, id, fields=None, **more):
        """Changes fields of a dead letter and keeps all others; `None` removes one. False if there
        is no such dead letter."""
        return await self._call(Mailbox.edit, id, fields, more)

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
        desk = self._desk(loop)
        return await desk.wait_for(start(desk.mailbox, self._client, *arguments), loop)

    def _desk(self, loop):
        desk = self._desks.get(loop)
        if desk is None or desk.process != getpid():
            desk = self._desks[loop] = _Desk(loop)
        return desk


class _Desk:
    """Where the calls of one event loop wait. While there are any, the loop watches the mailbox;
    otherwise it knows nothing of it, so that there is nothing to tidy up when it closes.

    Holds no reference to its loop, which may then go when nobody else needs it."""

    __slots__ = ("__weakref__", "_waiting", "_watched", "mailbox", "process")

    def __init__(self, loop):
        self.process = getpid()
        self._waiting = {}
        self.mailbox = Mailbox()
        self._watched = False
        try:
            self._watch(loop)
            self._unwatch(loop)
        except NotImplementedError:
            # Such as the proactor loop of Windows.
            self._watched = True
            self.mailbox = Mailbox(_Wake(loop, self._receive))

    async def wait_for(self, submission, loop):
        """The result of a call; if the caller goes away, the call is given up."""
        future = loop.create_future()
        number = submission.number
        self._waiting[number] = future
        if not self._watched:
            self._watch(loop)
        try:
            outcome = await future
        finally:
            if self._waiting.pop(number, None) is not None:
                submission.cancel()
                self._unwatch_when_idle(loop)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _receive(self):
        waiting = self._waiting
        for number, outcome in self.mailbox.drain():
            future = waiting.pop(number, None)
            # A result, even of an exception: one that nobody fetches is not worth a log line.
            if future is not None and not future.done():
                future.set_result(outcome)
        self._unwatch_when_idle(get_running_loop())

    def _watch(self, loop):
        loop.add_reader(self.mailbox.fileno(), self._receive)
        self._watched = True

    def _unwatch_when_idle(self, loop):
        if self._watched and not self._waiting:
            self._unwatch(loop)

    def _unwatch(self, loop):
        loop.remove_reader(self.mailbox.fileno())
        self._watched = False


class _Wake:
    """Wakes a loop that cannot watch a socket; keeps neither the loop nor the desk alive."""

    __slots__ = ("_loop", "_receive")

    def __init__(self, loop, receive):
        self._loop = ref(loop)
        self._receive = WeakMethod(receive)

    def __call__(self):
        loop, receive = self._loop(), self._receive()
        if loop is not None and receive is not None:
            loop.call_soon_threadsafe(receive)
