# Generated from the core's tables by `make generate`; change core/src/results.rs instead.

"""What calls return, and events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, SupportsFloat, SupportsIndex, final

from ._fields import EventKind, ProblemCode, Severity

__all__ = [
    "LEVELS",
    "DeadLetter",
    "Event",
    "Problem",
    "Receipt",
    "Stats",
    "Ticket",
    "Validation",
]

LEVELS: Final[dict[str, int]]

@final
class Problem:
    """One thing that is wrong or suspicious, where it is, and how to fix it."""

    __match_args__: Final = ("path", "code", "message", "severity")
    def __new__(cls, path: str, code: str, message: str, severity: str) -> Problem: ...
    @property
    def path(self) -> str:
        """Where it is, as the caller wrote it: `sale_amount`, `discounts[1].amount`."""

    @property
    def code(self) -> ProblemCode:
        """The rule that was broken."""

    @property
    def message(self) -> str:
        """A sentence that says how to fix it. Holds no customer data."""

    @property
    def severity(self) -> Severity:
        """`error` stops the call; `warning` is part of the result."""

    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Receipt:
    """The endpoint has received the update."""

    __match_args__: Final = ("attempts", "elapsed", "warnings")
    def __new__(
        cls, attempts: SupportsIndex, elapsed: SupportsFloat, warnings: Sequence[Problem]
    ) -> Receipt: ...
    @property
    def attempts(self) -> int:
        """Number of requests it took; 0 if another process delivered the update."""

    @property
    def elapsed(self) -> float:
        """Time from the call to the answer, in seconds."""

    @property
    def warnings(self) -> list[Problem]:
        """Suspicious fields, and fields that were left out."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Ticket:
    """The outbox has accepted the update: it will be sent even if this process ends."""

    __match_args__: Final = ("id", "warnings")
    def __new__(cls, id: SupportsIndex, warnings: Sequence[Problem]) -> Ticket: ...
    @property
    def id(self) -> int:
        """Number of the update; numbers rise in the order of acceptance."""

    @property
    def warnings(self) -> list[Problem]:
        """Suspicious fields, and fields that were left out."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Validation:
    """The result of a check without sending. Its `repr` shows no customer data."""

    __match_args__: Final = ("payload", "problems")
    def __new__(cls, payload: bytes | None, problems: Sequence[Problem]) -> Validation: ...
    @property
    def payload(self) -> bytes | None:
        """The exact bytes that would be sent; missing if there is an error among the problems."""

    @property
    def problems(self) -> list[Problem]:
        """Everything that was found, errors and warnings."""

    @property
    def ok(self) -> bool:
        """Whether the update would be sent; there may be warnings all the same."""

    def __eq__(self, other: object, /) -> bool: ...

@dataclass(frozen=True)
class Stats:
    """Counters of the updates that an outbox has accepted, in any process: `accepted` always
    equals `delivered` + `pending` + `dead` + `discarded`."""

    accepted: int
    """Updates accepted since the outbox was created."""
    delivered: int
    """Updates that the endpoint has received."""
    pending: int
    """Updates that are neither delivered nor dead letters yet."""
    in_flight: int
    """Pending updates that a process is sending."""
    dead: int
    """Dead letters: kept until they are replayed or discarded."""
    discarded: int
    """Dead letters that were discarded."""
    oldest_pending_seconds: float
    """Age of the oldest pending update, in seconds; 0 if there is none."""

@dataclass(frozen=True)
class DeadLetter:
    """An update that will not be sent unless it is replayed. Its `repr` shows no customer
    data."""

    id: int
    """Number of the update, as on its ticket."""
    order_id: str
    """The order's id."""
    site_id: str
    """The site it was reported for."""
    payload: str
    """What was sent, as JSON. Customer data."""
    status: int | None
    """HTTP status, if the endpoint refused the update."""
    code: str
    """`rejected` (by the endpoint), `interrupted` (three attempts never finished) or `expired`
    (older than `max_age`)."""
    reason: str
    """A description of what happened. Holds no customer data."""
    died_at: datetime
    """When it became a dead letter."""

@dataclass(frozen=True)
class Event:
    """Something happened to an update of the outbox, or to the outbox itself. Holds no
    customer data."""

    kind: EventKind
    """What happened."""
    id: int
    """Number of the update, as on its ticket; 0 for `failed`."""
    order: str
    """Sixteen hexadecimal digits, the same for all updates of one order; with
    `event_order_ids` as `plain`, the order's id. Empty for `failed`."""
    attempts: int
    """Number of requests made so far; 0 if none was made."""
    status: int | None
    """HTTP status that led to it, if any."""
    code: str | None
    """Why: the code of the error, or of the dead letter."""
