"""What can go wrong with a call. The native half raises these; their messages hold no customer
data."""

import builtins


class Error(Exception):
    """The base of everything this package raises."""

    __module__ = "katalys"
    code = "internal"
    retryable = False
    attempts = 0
    ticket = None

    def __init__(self, message="", **details):
        super().__init__(message)
        for name, value in details.items():
            if not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__}() has no detail {name!r}")
            setattr(self, name, value)

    def __reduce__(self):
        return _restore, (type(self), self.args, self.__dict__)


class ConfigError(Error, ValueError):
    """The client cannot be made from these settings."""

    __module__ = "katalys"
    code = "config_invalid"


class ValidationError(Error, ValueError):
    """The update is invalid and was not sent."""

    __module__ = "katalys"
    code = "validation"

    def __init__(self, message="", problems=(), **details):
        super().__init__(message, **details)
        self.problems = list(problems)


class RejectedError(Error):
    """The endpoint answered, but not with 204."""

    __module__ = "katalys"
    code = "rejected"
    status = 0
    retry_after = None


class TransportError(Error, ConnectionError):
    """There was no answer."""

    __module__ = "katalys"
    code = "connect"
    retryable = True


class TimeoutError(Error, builtins.TimeoutError):
    """There was no answer within the time limit. With a `ticket`, the update is in the outbox and
    will be sent: `retryable` is false then, and another call would report it twice."""

    __module__ = "katalys"
    code = "timeout"
    retryable = True


class OutboxError(Error):
    """The update could not be kept, and was not accepted."""

    __module__ = "katalys"
    code = "outbox_failed"


class OutboxFullError(OutboxError):
    """The outbox has reached its capacity; the update was not accepted."""

    __module__ = "katalys"
    code = "outbox_full"
    retryable = True


def _restore(cls, args, details):
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(details)
    return error
