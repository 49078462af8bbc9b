"""Order status reporting for Katalys: tells it from a shop's server what became of an order.

Keep one client for the life of the process::

    import katalys

    client = katalys.Client("abcd.com")
    client.update_order("1001", order_status="paid")
"""

from ._errors import (
    ConfigError,
    Error,
    RejectedError,
    TimeoutError,
    TransportError,
    ValidationError,
)
from ._native import Client, Problem, Receipt, Validation, __version__

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


def __getattr__(name):
    # asyncio takes many times as long to import as all of this package.
    if name == "AsyncClient":
        from ._async import AsyncClient

        globals()[name] = AsyncClient
        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
