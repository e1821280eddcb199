"""The yard and its queue."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection, models
from django.db.models import Q
from django.utils import timezone

from specs.fields import CleanCharField
from specs.models import Spec
from workers.models import Worker

RANK_LENGTH = 500
MOST_WORKERS = 1000


if TYPE_CHECKING:
    TextField = models.CharField[str, str]
else:
    TextField = models.CharField


class RankField(TextField):
    """A fractional index; compared by bytes on every database, whatever the locale."""

    def db_parameters(self, connection: Any) -> Any:
        collation = "C" if connection.vendor == "postgresql" else "BINARY"
        return {**super().db_parameters(connection), "collation": collation}


class Yard(models.Model):
    """The one row that holds what counts for all: how many may run, and whether the queue moves."""

    limit = models.PositiveIntegerField(default=5, validators=[MaxValueValidator(MOST_WORKERS)])
    paused = models.BooleanField(default=False)
    paused_by = CleanCharField(max_length=150, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="yard_is_single"),
            models.CheckConstraint(condition=Q(limit__gte=0, limit__lte=MOST_WORKERS), name="yard_limit_is_0_to_1000"),
        ]

    def __str__(self) -> str:
        return f"Yard, {self.limit} slots"

    @classmethod
    def current(cls) -> "Yard":
        """The yard as it is, for reading; made with MAX_WORKERS slots at the first look."""
        found = cls.objects.filter(pk=1).first()
        return found or cls.objects.get_or_create(pk=1, defaults={"limit": settings.SPECYARD.max_workers})[0]

    @classmethod
    def locked(cls) -> "Yard":
        """The yard under its lock, which every start and every change of the queue takes first."""
        if connection.vendor == "sqlite":  # an immediate transaction is the lock
            return cls.current()
        found = cls.objects.select_for_update().filter(pk=1).first()
        if found is None:
            cls.current()
            found = cls.objects.select_for_update().get(pk=1)
        return found


class WorkerQueue(models.Model):
    """An entry waits by existing; starting it deletes it. Order: priority (higher first), then rank."""

    spec = models.ForeignKey(Spec, on_delete=models.PROTECT, related_name="entries")
    lane = models.PositiveIntegerField(default=0)
    priority = models.SmallIntegerField(
        default=0, validators=[MinValueValidator(-100), MaxValueValidator(100)], help_text="Higher starts first."
    )
    rank = RankField(max_length=RANK_LENGTH)
    not_before = models.DateTimeField(null=True, blank=True)
    continues = models.ForeignKey(Worker, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    added_by = CleanCharField(max_length=150, blank=True)
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-priority", "rank")
        verbose_name = "queue entry"
        verbose_name_plural = "queue entries"
        indexes = [models.Index(fields=("-priority", "rank"), name="queue_order")]
        constraints = [
            models.UniqueConstraint(fields=("spec", "lane"), name="spec_waits_once_per_lane"),
            models.UniqueConstraint(fields=("rank",), name="rank_is_unique"),
            models.CheckConstraint(condition=Q(priority__gte=-100, priority__lte=100), name="priority_is_in_range"),
            models.CheckConstraint(condition=~Q(rank=""), name="rank_is_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.spec} (priority {self.priority})"
