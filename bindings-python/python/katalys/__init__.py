"""Order status reporting for Katalys: reports from a shop's server what became of an order.

Keep one client for the life of the process::

    import katalys

    client = katalys.Client("abcd.com")
    client.update_order("1001", order_status="paid")
"""

from . import _errors
from ._errors import *
from ._native import Client, Problem, Receipt, Ticket, Validation, __version__, close_all

__all__ = [
    "AsyncClient",
    "Client",
    "DeadLetter",
    "Discount",
    "Event",
    "LineItem",
    "Options",
    "OrderFields",
    "Problem",
    "Receipt",
    "Stats",
    "Ticket",
    "Validation",
    "__version__",
    "shutdown",
]
__all__ += _errors.__all__


# Imported on first use: what their modules import takes many times as long as this package.
_LAZY = {
    "AsyncClient": "_async",
    "DeadLetter": "_results",
    "Discount": "_fields",
    "Event": "_results",
    "LineItem": "_fields",
    "Options": "_fields",
    "OrderFields": "_fields",
    "Stats": "_results",
}


def shutdown(timeout=None):
    """Closes the outbox of every client of this process, up to `timeout` seconds (5 by default).
    For servers that end a process without running its exit functions."""
    close_all(timeout)


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    return found


def __dir__():
    return sorted({*globals(), *__all__})
