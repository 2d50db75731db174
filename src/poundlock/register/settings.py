"""Makes Django ready where no web site has done so before."""

from __future__ import annotations

import os
import threading

import django
from django.apps import apps
from django.conf import settings

APP = "poundlock.register"
_once = threading.Lock()


def ready() -> None:
    """Configure Django for the register alone, or see that the site which configured it has the register among its apps."""
    with _once:
        if not settings.configured:
            settings.configure(INSTALLED_APPS=[APP], USE_TZ=True, LOGGING_CONFIG=None)
            # a notebook runs an event loop in the thread of its cells, where Django would refuse to open a database
            os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        if not apps.ready:
            django.setup()
    if not apps.is_installed(APP):
        raise ValueError(
            f"found a Django site without the register; expected {APP!r} in its INSTALLED_APPS. Cure: add it."
        )
