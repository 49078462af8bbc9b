"""Order status reporting for Katalys."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, TypeAlias

from _typeshed import DataclassInstance
from typing_extensions import Self, Unpack, disjoint_base

from ._errors import *
from ._fields import Discount as Discount
from ._fields import LineItem as LineItem
from ._fields import Options as Options
from ._fields import OrderFields as OrderFields
from ._fields import Text
from ._results import DeadLetter as DeadLetter
from ._results import Event as Event
from ._results import Problem as Problem
from ._results import Receipt as Receipt
from ._results import Stats as Stats
from ._results import Ticket as Ticket
from ._results import Validation as Validation

__version__: Final[str]

# Keys that are not documented are sent as they are.
_Fields: TypeAlias = Mapping[str, object] | DataclassInstance
_OnEvent: TypeAlias = Callable[[Event], object]

def shutdown(timeout: float | None = None) -> None:
    """Closes the outbox of every client of this process, up to `timeout` seconds (5 by default).
    For servers that end a process without running its exit functions."""

@disjoint_base
class Client:
    """Reports orders of one site. Keep it, and share it between threads. It works after a fork: the
    child process opens its own connections on its first call."""

    def __new__(
        cls,
        site_id: str | None = None,
        *,
        on_event: _OnEvent | None = None,
        **options: Unpack[Options],
    ) -> Self: ...
    def update_order(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Receipt:
        """Reports an update of an order and waits until the endpoint has received it.

        Fields are keyword arguments, one mapping (or dataclass), or both; `OrderFields` lists
        them. An exception that a signal handler raises meanwhile ends the call; an update whose
        request was not made yet is then not sent."""

    def report_order(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Receipt:
        """Reports a whole order, with the fields that the endpoint requires, and waits until the
        endpoint has received it. Without an `order_time`, the time of the call is sent."""

    def enqueue_update(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Ticket:
        """Accepts an update of an order, and returns when it is on disk. It is sent in the
        background, after the earlier updates of the same order."""

    def enqueue_report(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Ticket:
        """Accepts a whole order, with the fields that the endpoint requires, and returns when it is
        on disk. Without an `order_time`, the time of the call is sent."""

    def stats(self) -> Stats:
        """Counters of the outbox; `accepted` always equals delivered + pending + dead +
        discarded."""

    def flush(self, timeout: float | None = None) -> int:
        """Waits until nothing is pending, up to `timeout` seconds (10 by default); returns the
        number of pending updates."""

    def close(self, timeout: float | None = None) -> int:
        """Ends delivery: no further request is made, and those in flight are finished, up to
        `timeout` seconds (10 by default). Returns the number of updates left in the file for the
        next process; 0 without an outbox."""

    def dead_letters(self, after: int = 0, limit: int | None = None) -> list[DeadLetter]:
        """Dead letters whose number is above `after`, in order, up to `limit` of them (1,000 by
        default)."""

    def replay(self, id: int) -> bool:
        """Puts a dead letter back into its order's lane, at its old place. False if there is
        none."""

    def discard(self, id: int) -> bool:
        """Removes a dead letter, and counts it as discarded. False if there is none."""

    def edit(self, id: int, fields: _Fields | None = None, **more: Unpack[OrderFields]) -> bool:
        """Changes fields of a dead letter and keeps all others; `None` removes one. False if there
        is no such dead letter."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        class_: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Closes the outbox, if there is one."""

    def validate_update(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Validation:
        """Checks what `update_order` would send, and sends nothing."""

    def validate_report(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Validation:
        """Checks what `report_order` would send, and sends nothing."""

class AsyncClient:
    """Reports orders of one site from asyncio. Keep it. It works after a fork, and in several event
    loops, one after the other or at the same time in several threads."""

    def __init__(
        self,
        site_id: str | None = None,
        *,
        on_event: _OnEvent | None = None,
        **options: Unpack[Options],
    ) -> None: ...
    async def update_order(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Receipt:
        """Reports an update of an order and waits until the endpoint has received it."""

    async def report_order(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Receipt:
        """Reports a whole order, with the fields that the endpoint requires, and waits until the
        endpoint has received it."""

    async def enqueue_update(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Ticket:
        """Accepts an update of an order, and returns when it is on disk. It is sent in the
        background, after the earlier updates of the same order.
        Cancelled, the update may be accepted all the same."""

    async def enqueue_report(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Ticket:
        """Accepts a whole order, with the fields that the endpoint requires, and returns when it is
        on disk. Without an `order_time`, the time of the call is sent.
        Cancelled, the update may be accepted all the same."""

    async def stats(self) -> Stats:
        """Counters of the outbox; `accepted` always equals delivered + pending + dead +
        discarded."""

    async def flush(self, timeout: float | None = None) -> int:
        """Waits until nothing is pending, up to `timeout` seconds (10 by default); returns the
        number of pending updates."""

    async def close(self, timeout: float | None = None) -> int:
        """Ends delivery: no further request is made, and those in flight are finished, up to
        `timeout` seconds (10 by default). Returns the number of updates left in the file for the
        next process; 0 without an outbox."""

    async def dead_letters(self, after: int = 0, limit: int | None = None) -> list[DeadLetter]:
        """Dead letters whose number is above `after`, in order, up to `limit` of them (1,000 by
        default)."""

    async def replay(self, id: int) -> bool:
        """Puts a dead letter back into its order's lane, at its old place. False if there is
        none."""

    async def discard(self, id: int) -> bool:
        """Removes a dead letter, and counts it as discarded. False if there is none."""

    async def edit(
        self, id: int, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> bool:
        """Changes fields of a dead letter and keeps all others; `None` removes one. False if there
        is no such dead letter."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        class_: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Closes the outbox, if there is one."""

    def validate_update(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Validation:
        """Checks what `update_order` would send, at once, and sends nothing. Not a coroutine."""

    def validate_report(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Validation:
        """Checks what `report_order` would send, at once, and sends nothing. Not a coroutine."""
