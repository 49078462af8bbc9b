"""The clients of a Django project, made from `settings.KATALYS`."""

from . import AsyncClient, Client

def client() -> Client:
    """The client of this process, made on the first call from the options in
    `settings.KATALYS`, for example `{"site_id": "abcd.com", "outbox": BASE_DIR / "katalys.db"}`.
    `on_event` may be a dotted path there."""

def async_client() -> AsyncClient:
    """The same for asynchronous views."""
