"""What a worker is: its columns, what the database refuses of them, and what is read from them."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from specs.fields import CleanCharField, CleanTextField
from specs.models import Project, Spec
from workers.models.counted import Counted
from workers.models.node import Node
from workers.states import ACTIVE, FINAL, Reason, Step, Wish, WorkerStatus

WAITS_LENGTH = 300
STATUS_IS_ACTIVE = Q(status__in=ACTIVE)
STATUS_IS_FINAL = Q(status__in=FINAL)
# The same by the constraints below, and what queries ask for: SQLite uses no index with a condition on a list.
IS_ACTIVE = Q(slot__isnull=False)
IS_FINAL = Q(completed_at__isnull=False)


def new_nonce() -> str:
    """What nobody has had before: numbers are given again by a new database, or one that was restored."""
    return secrets.token_hex(4)


class WorkerRow(Counted):
    """The columns of a worker. Its verbs, which alone write most of them, are those of `Worker`."""

    spec = models.ForeignKey(Spec, on_delete=models.SET_NULL, null=True, related_name="workers")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="workers")
    title = CleanCharField(max_length=300)
    lane = models.PositiveIntegerField(default=0)
    continues = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="continued_by")
    on_failure = models.CharField(max_length=10, default="stop")
    max_attempts = models.PositiveIntegerField(default=3)

    status = models.CharField(max_length=10, choices=WorkerStatus.choices, default=WorkerStatus.IDLE)
    step = models.CharField(max_length=10, choices=Step.choices, default=Step.PREPARING)
    desired = models.CharField(max_length=5, choices=Wish.choices, default=Wish.RUN)
    desired_by = CleanCharField(max_length=150, blank=True)
    removed = models.BooleanField(default=False)  # off the list of active workers as soon as it has ended
    attention = CleanTextField(blank=True)  # the oldest question that waits for a person
    waits_for = CleanCharField(max_length=WAITS_LENGTH, blank=True)  # what it waits for by itself
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)
    error = CleanTextField(blank=True)

    slot = models.PositiveIntegerField(null=True)
    last_slot = models.PositiveIntegerField()  # where its card stood
    nonce = models.CharField(max_length=8, default=new_nonce, editable=False)  # in the name of its folders
    node = models.ForeignKey(Node, on_delete=models.PROTECT, related_name="workers")
    epoch = models.PositiveIntegerField(default=1)
    incarnation = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    rescues = models.PositiveIntegerField(default=0)
    workspace = models.CharField(max_length=4096, blank=True)
    branch = CleanCharField(max_length=300, blank=True)  # of its git worktree
    base_commit = models.CharField(max_length=64, blank=True)  # what the branch began with
    head_commit = models.CharField(max_length=64, blank=True)  # where it stands after the chunk that passed last

    current = models.PositiveIntegerField(default=0)  # ordinal of the current chunk, 0 before the first
    total = models.PositiveIntegerField(default=0)
    passed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    last_line = CleanCharField(max_length=300, blank=True)
    last_output_at = models.DateTimeField(null=True)
    session_id = CleanCharField(max_length=300, blank=True)  # of its agent
    session_profile = models.CharField(max_length=100, blank=True)  # the profile of that agent

    created_by = CleanCharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    prepared_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)  # while it is paused
    paused_for = models.DurationField(default=timedelta)  # all pauses that are over
    completed_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        ordering = ("-pk",)
        indexes = [
            models.Index(fields=("-completed_at", "-id"), condition=IS_FINAL, name="worker_history"),
            models.Index(fields=("status", "-completed_at", "-id"), condition=IS_FINAL, name="worker_history_status"),
            models.Index(fields=("project", "-completed_at", "-id"), condition=IS_FINAL, name="worker_history_project"),
            models.Index(fields=("spec", "-completed_at", "-id"), condition=IS_FINAL, name="worker_history_spec"),
            models.Index(
                fields=("project", "status", "-completed_at", "-id"),
                condition=IS_FINAL,
                name="worker_history_project_status",
            ),
            models.Index(
                fields=("spec", "status", "-completed_at", "-id"), condition=IS_FINAL, name="worker_history_spec_status"
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=tuple(WorkerStatus.values)), name="worker_status_is_known"),
            models.CheckConstraint(condition=Q(step__in=tuple(Step.values)), name="worker_step_is_known"),
            models.CheckConstraint(condition=Q(desired__in=tuple(Wish.values)), name="worker_wish_is_known"),
            models.CheckConstraint(
                condition=(STATUS_IS_FINAL & IS_FINAL) | (STATUS_IS_ACTIVE & Q(completed_at=None)),
                name="worker_has_completed_at_when_it_is_finished",
            ),
            models.CheckConstraint(
                condition=(STATUS_IS_ACTIVE & IS_ACTIVE) | (STATUS_IS_FINAL & Q(slot=None)),
                name="worker_holds_a_slot_while_it_is_active",
            ),
            models.CheckConstraint(
                condition=Q(passed__lte=F("total") - F("failed") - F("skipped")) & Q(current__lte=F("total")),
                name="worker_counts_stay_within_its_chunks",
            ),
            models.CheckConstraint(condition=Q(epoch__gte=1), name="worker_epoch_starts_at_one"),
            models.UniqueConstraint(fields=("slot",), condition=IS_ACTIVE, name="slot_has_one_active_worker"),
            models.UniqueConstraint(
                fields=("spec", "lane"), condition=IS_ACTIVE, name="spec_runs_once_at_a_time_per_lane"
            ),
        ]

    def __str__(self) -> str:
        return f"Worker {self.pk}: {self.title}"

    @property
    def summary(self) -> dict[str, Any]:
        """What an event tells about its worker."""
        return {"spec": self.spec_id, "project": self.project.name, "title": self.title, "status": self.status}

    @property
    def folder(self) -> str:
        """What the directories are called in which its node keeps its runs, logs, artifacts, agents' data, workspace.

        No other worker's ever were, of whatever database: docs/decisions/0011.
        """
        return f"{self.pk}-{self.nonce}" if self.nonce else str(self.pk)

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    @property
    def tip(self) -> str:
        """Where its branch stands, by what has passed; "" without a branch. The order of the plan does not tell:
        a chunk that has failed or was skipped may pass later, in another worker, than those that come after it.
        """
        return self.head_commit or self.base_commit

    @property
    def state(self) -> str:
        """Its status, or "stopping" once somebody has asked it to end."""
        return "stopping" if self.is_active and self.desired == Wish.STOP else str(self.status)

    @property
    def clock_start(self) -> datetime | None:
        """Where its stopwatch began, put off by its pauses."""
        return self.started_at + self.paused_for if self.started_at else None

    @property
    def clock_end(self) -> datetime | None:
        """Where its stopwatch stands; None while it runs."""
        return self.completed_at or self.paused_at
