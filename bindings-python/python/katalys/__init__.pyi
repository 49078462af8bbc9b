"""Order status reporting for Katalys."""

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, Literal, SupportsFloat, SupportsIndex, TypeAlias, final

from _typeshed import DataclassInstance
from typing_extensions import Self, Unpack, disjoint_base

from ._fields import Discount as Discount
from ._fields import ErrorCode, ProblemCode, Text
from ._fields import LineItem as LineItem
from ._fields import Options as Options
from ._fields import OrderFields as OrderFields

__all__ = [
    "AsyncClient",
    "Client",
    "ConfigError",
    "DeadLetter",
    "Discount",
    "Error",
    "Event",
    "LineItem",
    "Options",
    "OrderFields",
    "OutboxError",
    "OutboxFullError",
    "Problem",
    "Receipt",
    "RejectedError",
    "Stats",
    "Ticket",
    "TimeoutError",
    "TransportError",
    "Validation",
    "ValidationError",
    "__version__",
    "shutdown",
]

__version__: Final[str]

# Keys that are not documented are sent as they are.
_Fields: TypeAlias = Mapping[str, object] | DataclassInstance
_Severity: TypeAlias = Literal["error", "warning"]
_EventKind: TypeAlias = Literal[
    "accepted", "delivered", "retried", "dead_lettered", "discarded", "failed"
]
_OnEvent: TypeAlias = Callable[[Event], object]

def shutdown(timeout: float = 5.0) -> None:
    """Closes the outbox of every client of this process, up to `timeout` seconds: for servers that
    end a process without running its exit functions."""

@disjoint_base
class Client:
    """Reports orders of one site. Made to be kept and shared between threads, and good across
    fork: a child process opens its own connections on its first call."""

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
        """Reports what became of an order and waits until the endpoint has it.

        Fields are keyword arguments, one mapping (or dataclass), or both; `OrderFields` lists
        them. What a signal handler raises meanwhile ends the call: an update whose request was
        not made yet is not sent then."""

    def report_order(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Receipt:
        """Reports an order as a whole, with the fields the endpoint requires of it, and waits
        until the endpoint has it. Without an `order_time`, the time of the call is sent."""

    def enqueue_update(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Ticket:
        """Accepts what became of an order, and returns when it is safe on disk. It is sent in the
        background, after the earlier updates of the same order."""

    def enqueue_report(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Ticket:
        """Accepts an order as a whole, with the fields the endpoint requires of it, and returns
        when it is safe on disk. Without an `order_time`, the time of the call is sent."""

    def stats(self) -> Stats:
        """Counters of the outbox; `accepted` is always the sum of delivered, pending, dead and
        discarded."""

    def flush(self, timeout: float = 10.0) -> int:
        """Waits until nothing is pending, up to `timeout` seconds; returns the number of pending
        updates."""

    def close(self, timeout: float = 10.0) -> int:
        """Ends delivery: no further request is made, and those in flight are finished, up to
        `timeout` seconds. Returns the number of updates left in the file for the next process; 0
        without an outbox."""

    def dead_letters(self, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """Updates that the endpoint rejected for good: those whose number is above `after`, in
        order, at most `limit`."""

    def replay(self, id: int) -> bool:
        """Puts a dead letter back into its order's lane, at its old place. False if there is
        none."""

    def discard(self, id: int) -> bool:
        """Removes a dead letter for good; it is counted. False if there is none."""

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
    """Reports orders of one site from asyncio. Made to be kept; good across fork, and for
    several event loops, one after the other or at once in several threads."""

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
        """Reports what became of an order and waits until the endpoint has it."""

    async def report_order(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Receipt:
        """Reports an order as a whole, with the fields the endpoint requires of it, and waits
        until the endpoint has it."""

    async def enqueue_update(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Ticket:
        """Accepts what became of an order, and returns when it is safe on disk. It is sent in the
        background, after the earlier updates of the same order.
        Cancelled, the update may be accepted all the same."""

    async def enqueue_report(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Ticket:
        """Accepts an order as a whole, with the fields the endpoint requires of it, and returns
        when it is safe on disk. Without an `order_time`, the time of the call is sent.
        Cancelled, the update may be accepted all the same."""

    async def stats(self) -> Stats:
        """Counters of the outbox; `accepted` is always the sum of delivered, pending, dead and
        discarded."""

    async def flush(self, timeout: float = 10.0) -> int:
        """Waits until nothing is pending, up to `timeout` seconds; returns the number of pending
        updates."""

    async def close(self, timeout: float = 10.0) -> int:
        """Ends delivery: no further request is made, and those in flight are finished, up to
        `timeout` seconds. Returns the number of updates left in the file for the next process; 0
        without an outbox."""

    async def dead_letters(self, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """Updates that the endpoint rejected for good: those whose number is above `after`, in
        order, at most `limit`."""

    async def replay(self, id: int) -> bool:
        """Puts a dead letter back into its order's lane, at its old place. False if there is
        none."""

    async def discard(self, id: int) -> bool:
        """Removes a dead letter for good; it is counted. False if there is none."""

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

@final
class Receipt:
    """The endpoint has the update."""

    __match_args__: Final = ("attempts", "elapsed", "warnings")
    def __new__(
        cls, attempts: SupportsIndex, elapsed: SupportsFloat, warnings: Sequence[Problem]
    ) -> Receipt: ...
    @property
    def attempts(self) -> int:
        """How many requests it took."""

    @property
    def elapsed(self) -> float:
        """How long it took, from the call to the answer, in seconds."""

    @property
    def warnings(self) -> list[Problem]:
        """What was suspicious, or was left out."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Ticket:
    """The outbox has the update: it will reach the endpoint, whatever becomes of this process."""

    __match_args__: Final = ("id", "warnings")
    def __new__(cls, id: SupportsIndex, warnings: Sequence[Problem]) -> Ticket: ...
    @property
    def id(self) -> int:
        """The update's number; numbers rise in the order of acceptance."""

    @property
    def warnings(self) -> list[Problem]:
        """What was suspicious, or was left out."""

    def __eq__(self, other: object, /) -> bool: ...

@dataclass(frozen=True)
class Stats:
    """What happened to the updates that an outbox accepted: `accepted` always equals `delivered` +
    `pending` + `dead` + `discarded`."""

    accepted: int
    """Updates that were ever accepted."""
    delivered: int
    """Those that the endpoint has."""
    pending: int
    """Those that are waiting or in flight."""
    in_flight: int
    """Those of the pending that are in flight."""
    dead: int
    """Those that the endpoint rejected for good, kept until they are replayed or discarded."""
    discarded: int
    """Dead letters that were discarded."""
    oldest_pending_seconds: float
    """The age of the oldest pending update; 0 if there is none."""

@dataclass(frozen=True)
class DeadLetter:
    """An update that will not be sent unless it is replayed. Its `repr` shows no customer data."""

    id: int
    """Its number, as on its ticket."""
    order_id: str
    """The order it belongs to."""
    site_id: str
    """The site it belongs to."""
    payload: str
    """What was sent, in JSON. Customer data."""
    status: int | None
    """The HTTP status, if the endpoint refused it."""
    code: str
    """`rejected` (by the endpoint), `interrupted` (sending it never finished, three times) or
    `expired` (older than `max_age`)."""
    reason: str
    """What happened, for people."""
    died_at: datetime
    """When; in UTC."""

@dataclass(frozen=True)
class Event:
    """Something happened to an update of the outbox."""

    kind: _EventKind
    """What happened. `accepted`: it is in the outbox. `delivered`: the endpoint has it.
    `retried`: an attempt failed, another one follows. `dead_lettered`: it will not be sent
    unless it is replayed. `discarded`: a dead letter was removed for good. `failed`: the outbox
    cannot be read or written, so nothing is delivered."""
    id: int
    """The update's number, as on its ticket; 0 for `failed`."""
    order: str
    """Sixteen hexadecimal digits that are the same for all updates of one order; with
    `event_order_ids="plain"`, the order_id itself."""
    attempts: int
    """How many requests were made so far; 0 where none was."""
    status: int | None
    """The HTTP status that led to it, if one did."""
    code: str | None
    """Why: the code of the error that is retried, or `rejected`, `interrupted` or `expired` of a
    dead letter."""

@final
class Validation:
    """The result of a check without sending."""

    __match_args__: Final = ("payload", "problems")
    def __new__(cls, payload: bytes | None, problems: Sequence[Problem]) -> Validation: ...
    @property
    def payload(self) -> bytes | None:
        """The exact bytes that would be sent; `None` if there is an error among the problems."""

    @property
    def problems(self) -> list[Problem]:
        """Everything that was found, errors and warnings."""

    @property
    def ok(self) -> bool:
        """Whether the update would be sent; there may be warnings all the same."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Problem:
    """One thing that is wrong or suspicious, where it is, and how to fix it."""

    __match_args__: Final = ("path", "code", "message", "severity")
    def __new__(cls, path: str, code: str, message: str, severity: str) -> Problem: ...
    @property
    def path(self) -> str:
        """What the caller wrote: `sale_amount`, `discounts[1].amount`."""

    @property
    def code(self) -> ProblemCode:
        """The rule that was broken."""

    @property
    def message(self) -> str:
        """A whole sentence that says how to fix it. Holds no customer data."""

    @property
    def severity(self) -> _Severity:
        """Whether it stops the call."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

class Error(Exception):
    """The base of everything this package raises."""

    code: ErrorCode
    """What happened; stable, and the same in every language."""
    retryable: bool
    """Whether the same call may succeed later without any change."""
    attempts: int
    """How many requests were made before the call failed."""
    ticket: int | None
    """The number of the update in the outbox, if it was accepted before the call failed: it will be
    sent, or is a dead letter, and must not be reported again."""
    def __init__(self, message: str = "", **details: object) -> None: ...

class ConfigError(Error, ValueError):
    """The client cannot be made from these settings."""

class ValidationError(Error, ValueError):
    """The update is invalid and was not sent."""

    problems: list[Problem]
    """Everything that is wrong with the update, errors and warnings."""
    def __init__(
        self, message: str = "", problems: Sequence[Problem] = (), **details: object
    ) -> None: ...

class RejectedError(Error):
    """The endpoint answered, but not with 204."""

    status: int
    """The HTTP status of the last answer."""
    retry_after: float | None
    """How long the endpoint asked to wait, in seconds."""

class TransportError(Error, ConnectionError):
    """There was no answer."""

class TimeoutError(Error, builtins.TimeoutError):
    """There was no answer within the time limit. With a `ticket`, the update is in the outbox and
    will be sent: `retryable` is false then, and another call would report it twice."""

class OutboxError(Error):
    """The update could not be kept, and was not accepted."""

class OutboxFullError(OutboxError):
    """The outbox has reached its capacity; the update was not accepted."""
