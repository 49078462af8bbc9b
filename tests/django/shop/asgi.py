"""The application that uvicorn runs."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_asgi_application()

from katalys.django import with_shutdown  # noqa: E402 — needs the settings

application = with_shutdown(application)
