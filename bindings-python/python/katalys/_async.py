"""The client for asyncio: no thread waits for an answer on behalf of a call, and no thread of
this package ever needs the interpreter."""

from asyncio import get_running_loop
from os import getpid
from weakref import WeakKeyDictionary, WeakMethod, ref

from ._native import Client, Mailbox, Receipt


class AsyncClient:
    """Reports orders of one site from asyncio. Made to be kept; good across fork, and for several
    event loops, one after the other or at once in several threads."""

    __module__ = "katalys"
    __slots__ = ("__weakref__", "_client", "_desks")

    def __init__(self, site_id=None, **options):
        self._client = Client(site_id, **options)
        self._desks = WeakKeyDictionary()

    async def update_order(self, order_id, fields=None, **more):
        """Reports what became of an order and waits until the endpoint has it.

        Fields are keyword arguments, one mapping (or dataclass), or both. Cancelled while no
        request has been made yet, none will be; one that is under way runs to its end.
        """
        loop = get_running_loop()
        desk = self._desk(loop)
        ticket = desk.mailbox.update_order(self._client, order_id, fields, more)
        return await desk.wait_for(ticket, loop)

    async def report_order(self, order_id, fields=None, **more):
        """Reports an order as a whole, with the fields the endpoint requires of it, and waits
        until the endpoint has it. Without an `order_time`, the time of the call is sent.

        Fields are keyword arguments, one mapping (or dataclass), or both. Cancelled while no
        request has been made yet, none will be; one that is under way runs to its end.
        """
        loop = get_running_loop()
        desk = self._desk(loop)
        ticket = desk.mailbox.report_order(self._client, order_id, fields, more)
        return await desk.wait_for(ticket, loop)

    def validate_update(self, order_id, fields=None, **more):
        """Checks what `update_order` would send, at once, and sends nothing. Not a coroutine."""
        return self._client.validate_update(order_id, fields, **more)

    def validate_report(self, order_id, fields=None, **more):
        """Checks what `report_order` would send, at once, and sends nothing. Not a coroutine."""
        return self._client.validate_report(order_id, fields, **more)

    def __reduce__(self):
        return self._client.__reduce__()

    def __repr__(self):
        return repr(self._client).replace("Client", "AsyncClient", 1)

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

    async def wait_for(self, ticket, loop):
        """The receipt of a send; if the caller goes away, the send is given up."""
        future = loop.create_future()
        number = ticket.number
        self._waiting[number] = future
        if not self._watched:
            self._watch(loop)
        try:
            outcome = await future
        finally:
            if self._waiting.pop(number, None) is not None:
                ticket.cancel()
                self._unwatch_when_idle(loop)
        if type(outcome) is Receipt:
            return outcome
        raise outcome

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
