"""The native half of the package; what is public is re-exported by `katalys`."""

from collections.abc import Callable
from typing import final

from . import Client as Client
from . import Problem as Problem
from . import Receipt as Receipt
from . import Validation as Validation
from . import __version__ as __version__

__all__ = [
    "Client",
    "Mailbox",
    "Problem",
    "Receipt",
    "Ticket",
    "Validation",
    "__version__",
]

@final
class Mailbox:
    def __new__(cls, wake: Callable[[], object] | None = None) -> Mailbox: ...
    def fileno(self) -> int | None: ...
    def update_order(
        self, client: Client, order_id: object, fields: object, more: object
    ) -> Ticket: ...
    def report_order(
        self, client: Client, order_id: object, fields: object, more: object
    ) -> Ticket: ...
    def drain(self) -> list[tuple[int, object]]: ...

@final
class Ticket:
    @property
    def number(self) -> int: ...
    def cancel(self) -> None: ...
