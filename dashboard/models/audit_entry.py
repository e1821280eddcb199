"""What was done, by whom and from where."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from specs.fields import CleanCharField, CleanJSONField

ACTOR_LENGTH = 150
LABEL_LENGTH = 300


class Source(models.TextChoices):
    """Where an action came in."""

    PAGE = "page", "Page"  # a button or a form
    API = "api", "API"  # a program, or a page by way of the API
    CLI = "cli", "CLI"  # the command line, on the database itself
    ADMIN = "admin", "Django admin"  # a form below /admin/
    SYSTEM = "system", "System"  # Specyard itself


class WrittenOnce(Exception):
    """Entries of the audit log are neither changed nor deleted."""


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "", {}) else str(value)


class AuditEntry(models.Model):
    """One action. Written once, in the transaction of the change."""

    at = models.DateTimeField(default=timezone.now)
    actor = CleanCharField(max_length=ACTOR_LENGTH, blank=True)  # "" for Specyard itself
    token = models.CharField(max_length=20, blank=True)  # the first letters of the token that was used
    source = models.CharField(max_length=10, choices=Source.choices)
    action = models.CharField(max_length=60)  # "worker.pause"
    kind = models.CharField(max_length=30)  # of the target: "worker"
    target_id = models.BigIntegerField(null=True)
    label = CleanCharField(max_length=LABEL_LENGTH, blank=True)  # the target's name at that time
    before = CleanJSONField(default=dict)
    after = CleanJSONField(default=dict)

    class Meta:
        ordering = ("-at", "-pk")
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=("at", "id"), name="audit_at"),
            models.Index(fields=("actor", "at", "id"), name="audit_actor"),
            models.Index(fields=("source", "at", "id"), name="audit_source"),
            models.Index(fields=("action", "at", "id"), name="audit_action"),
            models.Index(fields=("kind", "target_id", "at", "id"), name="audit_target"),
            models.Index(fields=("kind", "at", "id"), name="audit_kind"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(source__in=tuple(Source.values)), name="audit_source_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.who}: {self.action} {self.label}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new one. Raises WrittenOnce for one that is stored."""
        if not self._state.adding:
            raise WrittenOnce(WrittenOnce.__doc__)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Raises WrittenOnce."""
        raise WrittenOnce(WrittenOnce.__doc__)

    @property
    def who(self) -> str:
        """The actor in words."""
        return self.actor or ("Specyard" if self.source == Source.SYSTEM else "not signed in")

    @property
    def change(self) -> str:
        """What has changed, on one line: `limit 5 → 3`."""
        names = [*self.after, *(name for name in self.before if name not in self.after)]
        return "; ".join(self._item(name) for name in names)

    def _item(self, name: str) -> str:
        was, now = (_said(values[name]) if name in values else "" for values in (self.before, self.after))
        return f"{name} {was} → {now or 'none'}" if name in self.before else f"{name} {now}"
