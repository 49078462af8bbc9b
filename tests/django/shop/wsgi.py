"""The application that gunicorn runs. It creates a client, and may use it, before workers fork."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()

from katalys.django import client  # noqa: E402 — needs the settings

if os.environ.get("SHOP_SENDS_AT_START"):
    client().update_order("at-start", order_status="paid")
if os.environ.get("SHOP_ENQUEUES_AT_START"):
    client().enqueue_update("at-start", order_status="paid")
