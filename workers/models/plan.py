"""The plan of a worker, frozen at its start: what happens to the spec meanwhile does not matter."""

from django.db import models

from workers.states import ChunkOutcome


class WorkerChunk(models.Model):
    """One chunk of a worker's plan, copied from the spec, with its outcome."""

    worker = models.ForeignKey("workers.Worker", on_delete=models.CASCADE, related_name="chunks")
    ordinal = models.PositiveIntegerField()  # from 1
    key = models.CharField(max_length=100)
    title = models.CharField(max_length=300)
    instructions = models.TextField(blank=True)
    acceptance = models.JSONField(default=list, blank=True)
    executor = models.CharField(max_length=50)
    params = models.JSONField(default=dict, blank=True)
    review = models.JSONField(default=dict, blank=True)
    timeout = models.PositiveIntegerField()  # seconds of wall time, pauses excluded
    depends_on = models.JSONField(default=list, blank=True)
    files = models.JSONField(default=list, blank=True)
    outcome = models.CharField(max_length=10, choices=ChunkOutcome.choices, default=ChunkOutcome.PENDING)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("worker", "ordinal")
        constraints = [
            models.UniqueConstraint(fields=("worker", "ordinal"), name="chunk_ordinal_is_unique_per_worker"),
            models.UniqueConstraint(fields=("worker", "key"), name="chunk_key_is_unique_per_worker"),
            models.CheckConstraint(
                condition=models.Q(outcome__in=tuple(ChunkOutcome.values)), name="chunk_outcome_is_known"
            ),
            models.CheckConstraint(condition=models.Q(ordinal__gte=1), name="chunk_ordinal_starts_at_one"),
        ]

    def __str__(self) -> str:
        return f"{self.ordinal}. {self.title}"

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be done for this chunk."""
        return self.outcome in (ChunkOutcome.PASSED, ChunkOutcome.FAILED, ChunkOutcome.SKIPPED)
