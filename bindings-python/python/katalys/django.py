"""The clients of a Django project, made from `settings.KATALYS`."""

import asyncio

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

import katalys

_shared = {}


def client():
    """The client of this process, created on the first call from the options in
    `settings.KATALYS`, for example `{"site_id": "abcd.com", "outbox": "/var/lib/shop/katalys.db"}`.
    `on_event` may be a dotted path there."""
    return _shared.get("Client") or _make("Client")


def async_client():
    """The client for asynchronous views."""
    return _shared.get("AsyncClient") or _make("AsyncClient")


def with_shutdown(application):
    """The ASGI application, extended to close the outboxes of its process at the end of the
    server's lifespan. Servers such as uvicorn end by a signal, without running exit functions."""

    async def asgi(scope, receive, send):
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await asyncio.to_thread(katalys.shutdown)
        await send({"type": "lifespan.shutdown.complete"})

    return asgi


def _make(kind):
    options = dict(getattr(settings, "KATALYS", {}))
    if isinstance(options.get("on_event"), str):
        options["on_event"] = import_string(options["on_event"])
    made = getattr(katalys, kind)(**options)
    # Without a lock, which could be held during a fork. Of two threads, the first one's is kept.
    return _shared.setdefault(kind, made)


@receiver(setting_changed)
def _discard_clients(*, setting, **_):
    if setting == "KATALYS":
        _shared.clear()
