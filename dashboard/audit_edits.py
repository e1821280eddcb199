"""What is edited in Django's admin, where forms write rows themselves: recorded as the rows are written.

What goes through verbs there (queue, yard, workers) is recorded by these.
"""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_save

from dashboard.audit import origin
from dashboard.models import SignInLink, Source
from specs.acting import changes, record
from specs.models import AgentProfile, Project, Spec

WATCHED: dict[type[Model], str] = {
    Project: "project",
    Spec: "spec",
    AgentProfile: "profile",
    User: "account",
    SignInLink: "sign_in_link",
}
UNTOLD = {"id", "created_at", "updated_at", "last_login", "digest"}  # change by themselves, or are nobody's business


def watch() -> None:
    """From now on."""
    for model in WATCHED:
        pre_save.connect(_before, sender=model, dispatch_uid="audit.before")
        post_save.connect(_saved, sender=model, dispatch_uid="audit.saved")
        post_delete.connect(_deleted, sender=model, dispatch_uid="audit.deleted")


def _fields(row: Model) -> dict[str, Any]:
    return {field.name: field.value_from_object(row) for field in row._meta.concrete_fields if field.name not in UNTOLD}


def _before(sender: type[Model], instance: Any, **_: Any) -> None:
    if origin().source == Source.ADMIN:
        stored = sender._default_manager.filter(pk=instance.pk).first()
        instance._audited = _fields(stored) if stored is not None else {}


def _saved(sender: type[Model], instance: Any, created: bool, **_: Any) -> None:
    if origin().source != Source.ADMIN:
        return
    before, after = changes(instance._audited, _fields(instance))
    if after:
        record(f"{WATCHED[sender]}.{'create' if created else 'change'}", instance, before=before, after=after)


def _deleted(sender: type[Model], instance: Any, **_: Any) -> None:
    if origin().source == Source.ADMIN:
        record(f"{WATCHED[sender]}.delete", instance, before=changes({}, _fields(instance))[1])
