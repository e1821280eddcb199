"""The specs application."""

from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.db.models.signals import post_migrate


class SpecsConfig(AppConfig):
    name = "specs"
    verbose_name = "Specs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(store_shipped_profiles, sender=self, dispatch_uid="specs.store_shipped_profiles")


def store_shipped_profiles(using: str, apps: Any = installed, **_: Any) -> None:
    """After migrations, and after a database was emptied: a yard begins with the shipped profiles."""
    from specs.profiles import ensure_shipped

    try:
        model = apps.get_model("specs", "AgentProfile")
    except LookupError:  # migrated back to before there were any
        return
    ensure_shipped(model, using)
