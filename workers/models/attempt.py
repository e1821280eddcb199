"""One try at a chunk."""

from pathlib import Path

from django.conf import settings
from django.db import models

from workers.models.plan import WorkerChunk
from workers.states import AttemptStatus

RUNNING = models.Q(status=AttemptStatus.RUNNING)


class Attempt(models.Model):
    """One try at a chunk: when it ran, how it ended, how far its log reaches."""

    chunk = models.ForeignKey(WorkerChunk, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()  # from 1, per chunk
    status = models.CharField(
        max_length=12, choices=AttemptStatus.choices, default=AttemptStatus.RUNNING
    )
    reason = models.CharField(max_length=50, blank=True)  # machine-readable, from the runner
    message = models.TextField(blank=True)  # a sentence for people
    exit_code = models.IntegerField(null=True)
    findings = models.TextField(blank=True)  # handed to the next attempt
    incarnation = models.PositiveIntegerField()
    log_bytes = models.BigIntegerField(default=0)
    log_lines = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True)  # when the review began
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("chunk", "number")
        constraints = [
            models.UniqueConstraint(fields=("chunk", "number"), name="attempt_number_is_unique_per_chunk"),
            models.UniqueConstraint(fields=("chunk",), condition=RUNNING, name="chunk_has_one_running_attempt"),
            models.CheckConstraint(
                condition=models.Q(status__in=tuple(AttemptStatus.values)), name="attempt_status_is_known"
            ),
            models.CheckConstraint(
                condition=(RUNNING & models.Q(finished_at=None)) | (~RUNNING & models.Q(finished_at__isnull=False)),
                name="attempt_is_finished_when_it_does_not_run",
            ),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="attempt_number_starts_at_one"),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number} of chunk {self.chunk_id}"

    @property
    def log_path(self) -> Path:
        """Where the runner writes this attempt's output."""
        return log_path(self.chunk.worker_id, self.pk)


def log_path(worker_id: int, attempt_id: int) -> Path:
    """The log file of an attempt below the data directory."""
    data: Path = settings.SPECYARD.data
    return data / "logs" / str(worker_id) / f"{attempt_id}.log"
