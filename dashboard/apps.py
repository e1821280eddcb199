"""The dashboard application."""

from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.core.signals import request_finished
from django.db.models.signals import post_migrate


class DashboardConfig(AppConfig):
    name = "dashboard"
    verbose_name = "Dashboard"

    def ready(self) -> None:
        from dashboard import (
            audit,
            audit_edits,
            celery,  # noqa: F401 - the first application made is the one that senders use
            tokens,
        )
        from dashboard.models import Webhook
        from specs import secrets
        from specs.acting import acted

        acted.connect(audit.keep, dispatch_uid="dashboard.audit")
        audit_edits.watch()
        secrets.also_encrypted(Webhook, "secret")
        request_finished.connect(tokens.write_uses, dispatch_uid="dashboard.tokens")
        post_migrate.connect(make_roles, sender=self, dispatch_uid="dashboard.make_roles")


def make_roles(using: str, apps: Any = installed, **_: Any) -> None:
    """After migrations, and after a database was emptied: the groups that are the roles."""
    try:
        groups = apps.get_model("auth", "Group").objects.using(using)
    except LookupError:  # migrated back to before there were any
        return
    for name in ("viewer", "operator", "admin"):
        groups.get_or_create(name=name)
