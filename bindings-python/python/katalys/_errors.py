# Generated from the core's tables by `make generate`; change core/src/error.rs instead.

"""What calls raise. Messages hold no customer data."""

import builtins

# The module `typing` takes longer to import than this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._fields import ErrorCode
    from ._results import Problem

__all__ = [
    "ConfigError",
    "Error",
    "OutboxError",
    "OutboxFullError",
    "RejectedError",
    "TimeoutError",
    "TransportError",
    "ValidationError",
]


class Error(Exception):
    """The base of everything this package raises."""

    __module__ = "katalys"
    code: "ErrorCode" = "internal"
    """The stable code, the same in every language."""
    retryable: bool = False
    """Whether the same call may succeed later without any change."""
    attempts: int = 0
    """Number of requests that were made."""
    ticket: int | None = None
    """Number of the update in the outbox, if it was accepted before the call failed: it will
    be sent, or is a dead letter. Do not send it again."""

    def __init__(self, message: str = "", **details: object) -> None:
        super().__init__(message)
        for name, value in details.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__}() has no detail {name!r}")
            setattr(self, name, value)

    def __reduce__(self) -> "tuple[object, ...]":
        return _restore, (type(self), self.args, self.__dict__)


class ConfigError(Error, ValueError):
    """The client cannot be created from these settings."""

    __module__ = "katalys"
    code: "ErrorCode" = "config_invalid"
    retryable: bool = False


class ValidationError(Error, ValueError):
    """The update is invalid and was not sent."""

    __module__ = "katalys"
    code: "ErrorCode" = "validation"
    retryable: bool = False
    problems: "list[Problem]"
    """Everything that is wrong with the update, errors and warnings."""

    def __init__(
        self,
        message: str = "",
        problems: "Sequence[Problem]" = (),
        **details: object,
    ) -> None:
        super().__init__(message, **details)
        self.problems = list(problems)


class RejectedError(Error):
    """The endpoint answered, but not with 204."""

    __module__ = "katalys"
    code: "ErrorCode" = "rejected"
    retryable: bool = False
    status: int = 0
    """HTTP status of the last answer."""
    retry_after: float | None = None
    """How long the endpoint asked to wait, in seconds, at most five minutes."""


class TransportError(Error, ConnectionError):
    """There was no answer."""

    __module__ = "katalys"
    code: "ErrorCode" = "connect"
    retryable: bool = True


class TimeoutError(Error, builtins.TimeoutError):
    """There was no answer within the time limit. With a ticket, the update is in the outbox
    and will be sent; do not send it again."""

    __module__ = "katalys"
    code: "ErrorCode" = "timeout"
    retryable: bool = True


class OutboxError(Error):
    """The outbox cannot be used, or the update was not accepted."""

    __module__ = "katalys"
    code: "ErrorCode" = "outbox_failed"
    retryable: bool = True


class OutboxFullError(OutboxError):
    """The outbox has reached its capacity; the update was not accepted."""

    __module__ = "katalys"
    code: "ErrorCode" = "outbox_full"
    retryable: bool = True


def _restore(cls: "type[Error]", args: "tuple[object, ...]", details: "dict[str, object]") -> Error:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(details)
    return error
