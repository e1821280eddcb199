"""How often somebody has failed to prove who they are."""

from django.db import models
from django.db.models import Q


class Failures(models.Model):
    """Failed tries of one kind: of an address, or of an account from an address."""

    key = models.CharField(max_length=64, unique=True)  # a digest: what was typed as a name may be a password
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(db_index=True)
    blocked_until = models.DateTimeField()

    class Meta:
        verbose_name_plural = "failures"
        constraints = [models.CheckConstraint(condition=Q(count__gte=0), name="failures_are_counted_from_0")]

    def __str__(self) -> str:
        return f"{self.count} failures, the last at {self.last_at:%Y-%m-%d %H:%M} UTC"
