"""A sandbox for tests: `katalys sandbox` in a child process, and access to what it received.

With pytest, use the fixture `katalys_sandbox`. Anywhere else::

    from katalys.testing import Sandbox, contain

    contain()  # before the shop's own modules are imported
    with Sandbox() as sandbox:
        client = katalys.Client("abcd.com", endpoint=sandbox.endpoint)
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, TypedDict

from ._contain import contain

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Order", "OrdersPage", "Sandbox", "SandboxError", "UpdatesPage", "contain"]

_ARGUMENTS = ("sandbox", "--port", "0", "--json", "--until-stdin-closes")
_LONGEST_START = 30.0
_LONGEST_ANSWER = 30.0
# The sandbox runs on this machine, so proxies of the environment are not used.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Order(TypedDict):
    """An order in the sandbox, with all updates it was made from."""

    order_id: str
    site_id: str
    fields: dict[str, Any]
    updates: list[dict[str, Any]]
    merged_from: list[str]


class OrdersPage(TypedDict):
    """A page of the orders, newest change first."""

    orders: list[dict[str, Any]]
    total: int
    offset: int


class UpdatesPage(TypedDict):
    """A page of the requests, oldest first; `cursor` is the `since` of the next page."""

    updates: list[dict[str, Any]]
    cursor: int
    more: bool


class SandboxError(Exception):
    """The sandbox could not be started or has ended (`status` is None), or refused a call with an
    HTTP status: 404 for an order that does not exist, 408 when a wait times out."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Sandbox:
    """A running `katalys sandbox`. It ends with `close()`, with the `with` block, or with this
    process, even if that is killed. Creating one calls `contain()`.

    `command` is the program; by default `KATALYS_COMMAND`, the program that pip installed with
    `katalys-cli`, or the one on the PATH."""

    #: The URL of its page.
    url: str
    #: The `endpoint` for clients.
    endpoint: str

    def __init__(self, *, command: str | os.PathLike[str] | None = None) -> None:
        contain()
        program = command or os.environ.get("KATALYS_COMMAND") or _installed()
        try:
            # In another session, so that Ctrl-C reaches only the tests or a debugger.
            self._process = subprocess.Popen(
                [program, *_ARGUMENTS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError(f"the sandbox could not be started: {error}") from error
        try:
            ready = self._ready_line()
            self.url, self.endpoint = ready["url"], ready["endpoint"]
        except (ValueError, TypeError, KeyError):
            self._process.kill()
            self.close()
            message = f"{os.fspath(program)!r} did not start a sandbox; see its stderr"
            raise SandboxError(message) from None

    def _ready_line(self) -> Any:
        assert self._process.stdout is not None
        too_late = threading.Timer(_LONGEST_START, self._process.kill)
        too_late.start()
        try:
            return json.loads(self._process.stdout.readline())
        finally:
            too_late.cancel()

    def order(self, order_id: object, site_id: str | None = None) -> Order:
        """The order with this id, or one that was merged into it; `site_id` if several sites have
        one."""
        path = f"/orders/{urllib.parse.quote(str(order_id), safe='')}"
        order: Order = self._call("GET", path, {"site_id": site_id})
        return order

    def orders(self, **filters: object) -> OrdersPage:
        """The orders that fit `order_id` (a part of it), `status`, `site_id`, `from_`, `to`
        (of `order_time`) and `warnings`; `offset`, `limit` (100, at most 1000)."""
        query = {name.rstrip("_"): value for name, value in filters.items()}
        page: OrdersPage = self._call("GET", "/orders", query)
        return page

    def updates(self, since: int = 0) -> UpdatesPage:
        """The requests that were read after the cursor `since`, at most 1000."""
        page: UpdatesPage = self._call("GET", "/updates", {"since": since, "limit": 1000})
        return page

    def wait_for(
        self,
        order_id: object,
        *,
        status: str | None = None,
        updates: int | None = None,
        site_id: str | None = None,
        timeout: float = 5,
    ) -> Order:
        """The order, as soon as it has this status and this number of updates (at least one);
        `SandboxError` with status 408 after `timeout` seconds."""
        expected = {"order_id": order_id, "status": status, "updates": updates, "site_id": site_id}
        order: Order = self._call("GET", "/wait", {**expected, "timeout": timeout}, wait=timeout)
        return order

    def fault(self, **fault: object) -> dict[str, Any]:
        """Adds a fault that answers requests, such as `status=503, next=2` or
        `hang=True, order_id="1001"`; returns the rule with its `id`."""
        [rule] = self._call("POST", "/faults", body=fault)["faults"]
        added: dict[str, Any] = rule
        return added

    def clear_faults(self) -> None:
        """Removes all faults: requests are answered as by the endpoint."""
        self._call("DELETE", "/faults")

    def clear(self) -> None:
        """Removes all orders, requests and faults."""
        self._call("DELETE", "")

    def close(self) -> None:
        """Ends the sandbox; a second call does nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        # A forked child may hold its stdin open.
        self._process.terminate()
        self._process.wait()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, object] | None = None,
        *,
        body: object = None,
        wait: float = 0,
    ) -> Any:
        url = f"{self.url}/_sandbox{path}"
        given = [(name, _text(value)) for name, value in (query or {}).items() if value is not None]
        if given:
            url += f"?{urllib.parse.urlencode(given)}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with _open(request, timeout=wait + _LONGEST_ANSWER) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise SandboxError(_reason(error.read()), error.code) from None
        except OSError as error:
            if self._process.returncode is not None:
                raise SandboxError("the sandbox was closed; create a new one") from None
            reason = getattr(error, "reason", error)
            raise SandboxError(f"the sandbox does not answer: {reason}") from error
        return json.loads(content) if content else None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reason(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"])
    except (ValueError, TypeError, KeyError):
        return "the answer is not that of a sandbox"


def _installed() -> str:
    """The program in pip's folders, of the environment or of this user, or on the PATH."""
    folders = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")),
        os.environ.get("PATH", os.defpath),
    ]
    found = shutil.which("katalys", path=os.pathsep.join(folders))
    if found is None:
        raise SandboxError(
            "the katalys command is not installed: pip install katalys-cli, or set "
            "KATALYS_COMMAND to its path"
        )
    return found
