"""The register as a Django app."""

from django.apps import AppConfig


class RegisterConfig(AppConfig):
    """Names the app, so that its tables and migrations meet no other app's."""

    name = "poundlock.register"
    label = "poundlock_register"
    verbose_name = "Register"
    default_auto_field = "django.db.models.BigAutoField"
