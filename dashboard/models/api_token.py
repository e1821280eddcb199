"""Tokens with which programs act for an account."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from specs.fields import CleanCharField

NAME_LENGTH = 100


class Scope(models.TextChoices):
    """The most that a token may do; the account's role limits it further, each time it is used."""

    READ = "read", "Read"  # what viewers may
    ACT = "act", "Act"  # what operators may
    ADMIN = "admin", "Administer"  # what administrators may


class ApiToken(models.Model):
    """A token of an account. Only its digest and its first letters are stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = CleanCharField(max_length=NAME_LENGTH)
    digest = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=20)
    scope = models.CharField(max_length=10, choices=Scope.choices, default=Scope.READ)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-pk",)
        constraints = [
            models.CheckConstraint(condition=Q(scope__in=tuple(Scope.values)), name="token_scope_is_known"),
            models.CheckConstraint(condition=~Q(name=""), name="token_has_a_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_valid(self, now: datetime | None = None) -> bool:
        """Whether it works: neither revoked nor expired, and its account is open."""
        expired = self.expires_at is not None and self.expires_at <= (now or timezone.now())
        return self.revoked_at is None and not expired and self.user.is_active

    @property
    def state(self) -> str:
        """active, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= timezone.now() else "active"
