"""The minimal Django settings of the shop."""

import os
import pathlib

SECRET_KEY = "not a secret: this shop has no customers"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["shop"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", pathlib.Path("shop.sqlite3")),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "America/Los_Angeles"

KATALYS = {
    "site_id": "abcd.com",
    "endpoint": os.environ.get("SHOP_ENDPOINT", "http://127.0.0.1:9/"),
    "timeout": 5,
}
if "SHOP_OUTBOX" in os.environ:
    KATALYS["outbox"] = os.environ["SHOP_OUTBOX"]
