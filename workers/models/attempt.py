"""One try at a chunk."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from specs.fields import CleanJSONField, CleanTextField
from workers.errors import StaleTransition
from workers.models.counted import COUNTED, Counted
from workers.models.event import assign, emit, unit_of_work
from workers.models.plan import WorkerChunk
from workers.models.worker import GONE, Worker
from workers.states import AttemptStatus, ChunkOutcome, EventKind, QuestionKind, Step

SESSION_LENGTH = 300
RUNNING = models.Q(status=AttemptStatus.RUNNING)


class Attempt(Counted):
    """One try at a chunk: when it ran, how it ended, how far its log reaches."""

    chunk = models.ForeignKey(WorkerChunk, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()  # from 1, per chunk
    status = models.CharField(max_length=12, choices=AttemptStatus.choices, default=AttemptStatus.RUNNING)
    reason = models.CharField(max_length=50, blank=True)  # machine-readable, from the runner
    message = CleanTextField(blank=True)  # a sentence for people
    exit_code = models.IntegerField(null=True)
    findings = CleanTextField(blank=True)  # handed to the next attempt
    incarnation = models.PositiveIntegerField()
    log_bytes = models.BigIntegerField(default=0)
    log_lines = models.BigIntegerField(default=0)
    transcript_bytes = models.BigIntegerField(default=0)
    profile = models.CharField(max_length=100, blank=True)  # the agent's; "" without an agent
    left_out = CleanJSONField(default=list, blank=True)  # artifacts that are not kept: path and why
    started_at = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True)  # when the review began
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("chunk", "number")
        indexes = [models.Index(fields=("profile", "started_at"), name="attempt_profile_started")]
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

    # What the worker's owner records. Each carries the owner's epoch and raises Fenced when it has moved on.

    @classmethod
    @unit_of_work
    def open(cls, worker: Worker, chunk: WorkerChunk, **also: Any) -> "Attempt":
        """Begin the next attempt at the chunk. One that runs has been begun already: the answer was lost.

        `also`: what else to write into the worker.
        """
        worker.own(step=Step.EXECUTING, current=chunk.ordinal, **also)
        attempt = chunk.attempts.order_by("-number").first()
        now = timezone.now()
        if attempt is None or attempt.status != AttemptStatus.RUNNING:
            number = attempt.number + 1 if attempt else 1
            attempt = cls.objects.create(chunk=chunk, number=number, incarnation=worker.incarnation, started_at=now)
        attempt.chunk = chunk
        chunk.change(outcome=ChunkOutcome.RUNNING, started_at=chunk.started_at or now)
        emit(EventKind.WORKER_PROGRESS, worker.pk, chunk=chunk.ordinal, attempt=attempt.pk)
        return attempt

    @unit_of_work
    def begin_review(self, worker: Worker) -> None:
        """Record that the chunk was executed and its result is under review."""
        worker.own(step=Step.REVIEWING)
        self._change(reviewed_at=timezone.now())
        emit(EventKind.WORKER_PROGRESS, worker.pk, attempt=self.pk, step=Step.REVIEWING)

    @unit_of_work
    def output(self, worker: Worker, size: int, lines: int, last_line: str) -> None:
        """Record how far the log reaches (bytes, lines) and its last line; "": none since the request began."""
        worker.own(last_line=last_line[:300] or worker.last_line, last_output_at=timezone.now())
        self._change(log_bytes=size, log_lines=lines)
        emit(EventKind.WORKER_PROGRESS, worker.pk, attempt=self.pk, log_bytes=size)

    @unit_of_work
    def close(
        self, worker: Worker, status: AttemptStatus, outcome: ChunkOutcome, *, commit: str = "", **facts: Any
    ) -> None:
        """End the attempt as `status` and leave its chunk as `outcome`; facts: reason, message, exit_code, findings.

        `commit`: where the worktree's branch stands now that the chunk has passed. Raises StaleTransition when it has
        ended otherwise.
        """
        lost = status == AttemptStatus.LOST
        worker.own(
            passed=worker.passed + (outcome == ChunkOutcome.PASSED),
            failed=worker.failed + (outcome == ChunkOutcome.FAILED),
            rescues=worker.rescues + lost,
            waits_for="",
            **({"head_commit": commit} if commit else {}),
        )
        now = timezone.now()
        self._change(from_status=(AttemptStatus.RUNNING, status), status=status, finished_at=now, **facts)
        self.chunk.settle(outcome, now, commit)
        if self.chunk.uses_agent:
            self._close_questions(worker)
        ended = {"attempt": self.pk, "outcome": status, "chunk": self.chunk.ordinal}
        emit(EventKind.WORKER_PROGRESS, worker.pk, **ended, **self._usage())

    def _usage(self) -> dict[str, Any]:
        """What its agent has used, for the event of its end; nothing without an agent."""
        if not self.profile:
            return {}
        return {"profile": self.profile, "used": {name: str(getattr(self, name)) for name in COUNTED}}

    def _close_questions(self, worker: Worker) -> None:
        """What its agent has asked waits no longer, and no answer will reach it."""
        asked = self.questions.exclude(kind=QuestionKind.STUCK).filter(delivered_at=None, closed="")
        if asked.update(closed=GONE):
            worker.questions_changed()

    # What its agent tells.

    @unit_of_work
    def began_session(self, worker: Worker, session: str, profile: str) -> None:
        """Record the session in which the worker's agent works, by that agent's own name for it."""
        worker.own(session_id=session[:SESSION_LENGTH], session_profile=profile)
        self._change(profile=profile)
        emit(EventKind.WORKER_PROGRESS, worker.pk, attempt=self.pk, profile=profile)

    @unit_of_work
    def with_profile(self, worker: Worker, profile: str) -> None:
        """Record the profile whose agent works on the attempt, or reviews what a command has done."""
        worker.prove()
        self._change(profile=profile)

    @unit_of_work
    def wrote_transcript(self, worker: Worker, size: int) -> None:
        """Record how far the transcript reaches, in bytes."""
        worker.own(last_output_at=timezone.now())
        self._change(transcript_bytes=size)
        emit(EventKind.WORKER_PROGRESS, worker.pk, attempt=self.pk, transcript_bytes=size)

    @unit_of_work
    def used(
        self,
        worker: Worker,
        tokens_in: int,
        tokens_out: int,
        cost: Decimal,
        cached_read: int = 0,
        cached_written: int = 0,
    ) -> None:
        """Record what the attempt has used so far, in tokens and dollars; the worker's sums rise by what is new."""
        worker.own(
            tokens_in=worker.tokens_in + tokens_in - self.tokens_in,
            tokens_out=worker.tokens_out + tokens_out - self.tokens_out,
            cost=worker.cost + cost - self.cost,
            cached_read=worker.cached_read + cached_read - self.cached_read,
            cached_written=worker.cached_written + cached_written - self.cached_written,
        )
        self._change(
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=cost,
            cached_read=cached_read,
            cached_written=cached_written,
        )
        emit(EventKind.WORKER_PROGRESS, worker.pk, attempt=self.pk, tokens_in=tokens_in, tokens_out=tokens_out)

    @unit_of_work
    def kept(
        self,
        worker: Worker,
        artifacts: Sequence[dict[str, Any]],
        reports: Sequence[dict[str, Any]],
        left_out: Sequence[dict[str, str]],
        more: int = 0,
    ) -> None:
        """Record the artifacts that were copied, instead of what was recorded before, and those that were not.

        `more`: how many beyond `left_out`.
        """
        from workers.models.artifact import Artifact, TestReport

        worker.prove()
        rest = [{"path": "", "why": f"{more} more are left out"}] if more else []
        self._change(left_out=[*left_out, *rest])
        Artifact.objects.filter(attempt=self).delete()
        rows = Artifact.objects.bulk_create(Artifact(attempt=self, **facts) for facts in artifacts)
        by_path = {row.path: row for row in rows}
        TestReport.objects.bulk_create(
            TestReport(artifact=by_path[path], **{name: value for name, value in report.items() if name != "path"})
            for report in reports
            if (path := report["path"]) in by_path
        )
        emit(EventKind.WORKER_PROGRESS, worker.pk, attempt=self.pk)

    def _change(self, from_status: tuple[str, ...] = (AttemptStatus.RUNNING,), **changes: Any) -> None:
        if not Attempt.objects.filter(pk=self.pk, status__in=from_status).update(**changes):
            raise StaleTransition(f"{self} has already ended.")
        assign(self, changes)

    @property
    def log_path(self) -> Path:
        """Where the runner writes this attempt's output."""
        return log_path(self.chunk.worker, self.pk)

    @property
    def artifacts_path(self) -> Path:
        """Where the runner copies the files that the attempt's chunk declares."""
        data: Path = settings.SPECYARD.data
        return data / "artifacts" / self.chunk.worker.folder / str(self.pk)

    @property
    def transcript_path(self) -> Path:
        """Where the runner writes what this attempt's agent says and does."""
        return self.log_path.with_suffix(".ndjson")


def log_path(worker: Worker, attempt_id: int) -> Path:
    """The log file of an attempt below the data directory; of number 0, what was done before and after all attempts."""
    data: Path = settings.SPECYARD.data
    return data / "logs" / worker.folder / f"{attempt_id}.log"
