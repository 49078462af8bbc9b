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
from ._native import Client, Problem, Receipt, Ticket, Validation, __version__, close_all

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


# What they import takes many times as long as all of this package.
_LATER = {
    "AsyncClient": "_async",
    "DeadLetter": "_outbox",
    "Discount": "_fields",
    "Event": "_outbox",
    "LineItem": "_fields",
    "Options": "_fields",
    "OrderFields": "_fields",
    "Stats": "_outbox",
}


def shutdown(timeout=5.0):
    """Closes the outbox of every client of this process, up to `timeout` seconds: for servers that
    end a process without running its exit functions."""
    close_all(timeout)


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f".{_LATER[name]}", __name__), name)
    return found


def __dir__():
    return sorted({*globals(), *__all__})
