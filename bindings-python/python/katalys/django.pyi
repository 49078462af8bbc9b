"""The clients of a Django project, made from `settings.KATALYS`."""

from typing import TypeVar

from . import AsyncClient, Client

_Application = TypeVar("_Application")

def client() -> Client:
    """The client of this process, created on the first call from the options in
    `settings.KATALYS`, for example `{"site_id": "abcd.com", "outbox": "/var/lib/shop/katalys.db"}`.
    `on_event` may be a dotted path there."""

def async_client() -> AsyncClient:
    """The client for asynchronous views."""

def with_shutdown(application: _Application) -> _Application:
    """The ASGI application, extended to close the outboxes of its process at the end of the
    server's lifespan. Servers such as uvicorn end by a signal, without running exit functions."""
