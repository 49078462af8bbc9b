"""Order status reporting for Katalys: tells it from a shop's server what became of an order.

Keep one client for the life of the process::

    import katalys

    client = katalys.Client("abcd.com")
    client.update_order("1001", order_status="paid")
"""

from ._errors import (
    ConfigError,
    Error,
    OutboxError,
    OutboxFullError,
    RejectedError,
    TimeoutError,
    TransportError,
    ValidationError,
)
from ._native import Client, Problem, Receipt, Ticket, Validation, __version__

__all__ = [
    "AsyncClient",
    "Client",
    "ConfigError",
    "DeadLetter",
    "Error",
    "Event",
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
]


# What they import takes many times as long as all of this package.
_LATER = {
    "AsyncClient": "_async",
    "DeadLetter": "_outbox",
    "Event": "_outbox",
    "Stats": "_outbox",
}


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f".{_LATER[name]}", __name__), name)
    return found


def __dir__():
    return sorted({*globals(), *__all__})
