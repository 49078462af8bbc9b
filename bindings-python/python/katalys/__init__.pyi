"""Order status reporting for Katalys."""

import builtins
from collections.abc import Mapping, Sequence
from typing import Final, Literal, SupportsFloat, SupportsIndex, TypeAlias, final

from _typeshed import DataclassInstance
from typing_extensions import Unpack, disjoint_base

from ._fields import ErrorCode, Options, OrderFields, ProblemCode, Text

__all__ = [
    "AsyncClient",
    "Client",
    "ConfigError",
    "Error",
    "Problem",
    "Receipt",
    "RejectedError",
    "TimeoutError",
    "TransportError",
    "Validation",
    "ValidationError",
    "__version__",
]

__version__: Final[str]

# Keys that are not documented are sent as they are.
_Fields: TypeAlias = Mapping[str, object] | DataclassInstance
_Severity: TypeAlias = Literal["error", "warning"]

@disjoint_base
class Client:
    """Reports orders of one site. Made to be kept and shared between threads, and good across
    fork: a child process opens its own connections on its first call."""

    def __new__(cls, site_id: str | None = None, **options: Unpack[Options]) -> Client: ...
    def update_order(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Receipt:
        """Reports what became of an order and waits until the endpoint has it.

        Fields are keyword arguments, one mapping (or dataclass), or both."""

    def report_order(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Receipt:
        """Reports an order as a whole, with the fields the endpoint requires of it, and waits
        until the endpoint has it. Without an `order_time`, the time of the call is sent."""

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

    def __init__(self, site_id: str | None = None, **options: Unpack[Options]) -> None: ...
    async def update_order(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Receipt:
        """Reports what became of an order and waits until the endpoint has it."""

    async def report_order(
        self, order_id: Text, fields: _Fields | None = None, **more: Unpack[OrderFields]
    ) -> Receipt:
        """Reports an order as a whole, with the fields the endpoint requires of it, and waits
        until the endpoint has it."""

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
    """One thing that is wrong or suspicious, where it is, and how to mend it."""

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
        """A whole sentence that says how to mend it. Holds no customer data."""

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
    def __init__(self, message: str = "", **details: object) -> None: ...

class ConfigError(Error, ValueError):
    """The client cannot be made from these settings."""

class ValidationError(Error, ValueError):
    """The update cannot be right, and was not sent."""

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
    """There was no answer within the time limit."""
