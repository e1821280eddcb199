"""A worker's chunks and attempts on one shared time axis, in per cent of it."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from dashboard.artifacts import Left, left_by
from dashboard.pages import words
from workers.models import Attempt, Question, Worker, WorkerChunk
from workers.states import AttemptStatus, ChunkOutcome

STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800)
MOST_TICKS = 4
NARROWEST = 0.6  # per cent; a bar that cannot be seen says nothing
OUTCOME_LOOKS = {
    ChunkOutcome.PENDING: words.Look("To come", "starting", "mute"),
    ChunkOutcome.RUNNING: words.RUNNING,
    ChunkOutcome.PASSED: words.Look("Passed", "completed", "accent"),
    ChunkOutcome.FAILED: words.Look("Failed", "failed", "bad"),
    ChunkOutcome.SKIPPED: words.Look("Skipped", "skipped", "mute"),
}


Wait = tuple[datetime, datetime | None]  # since when a person was asked, and until when
Waits = defaultdict[int, list[Wait]]  # by attempt


@dataclass(frozen=True)
class Bar:
    """A rectangle on the axis: preparing, executing, reviewing, waiting, or the red cap of a failure."""

    kind: str
    start: str
    width: str


@dataclass(frozen=True)
class AttemptRow:
    attempt: Attempt
    look: words.Look
    text: str
    bars: list[Bar]
    left: Left | None = None  # artifacts and tests


@dataclass(frozen=True)
class ChunkRow:
    chunk: WorkerChunk
    look: words.Look
    rows: list[AttemptRow]
    until: datetime | None
    bars: list[Bar] = field(default_factory=list)

    @property
    def newest(self) -> Attempt | None:
        """The attempt whose log the chunk's title opens."""
        return self.rows[-1].attempt if self.rows else None

    @property
    def says(self) -> str:
        """How it, or its last attempt, has ended; empty as long as nothing of it has."""
        chunk = self.chunk
        if chunk.finished_at:
            return f"Chunk {chunk.ordinal}, {chunk.title}: {self.look.word}."
        ended = next((row for row in reversed(self.rows) if row.attempt.finished_at), None)
        return f"Chunk {chunk.ordinal}, attempt {ended.attempt.number}: {ended.text}." if ended else ""

    @property
    def names_attempts(self) -> bool:
        """A single attempt that passed, or still runs, needs no line of its own."""
        quiet = (AttemptStatus.PASSED, AttemptStatus.RUNNING)
        is_quiet = all(row.attempt.status in quiet and row.look != words.ATTENTION for row in self.rows)
        return len(self.rows) > 1 or not is_quiet


@dataclass(frozen=True)
class Axis:
    """Moments to per cent."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return max((self.end - self.start).total_seconds(), 0.001)

    def percent(self, moment: datetime) -> float:
        share = (moment - self.start).total_seconds() / self.seconds * 100
        return min(max(share, 0.0), 100.0)

    def bar(self, kind: str, start: datetime, end: datetime) -> Bar:
        left = self.percent(start)
        width = max(self.percent(end) - left, NARROWEST)
        return Bar(kind, f"{min(left, 100 - width):.2f}%", f"{width:.2f}%")

    @property
    def ticks(self) -> list[dict[str, str]]:
        """At most four marks at round times."""
        step = next((size for size in STEPS if self.seconds / size <= MOST_TICKS), STEPS[-1])
        return [
            {"at": f"{n * step / self.seconds * 100:.2f}%", "word": words.duration(n * step) if n else "0"}
            for n in range(int(self.seconds // step) + 1)
            if n * step / self.seconds < 0.9  # its word needs room, too
        ]


def timeline_of(worker: Worker) -> dict[str, object]:
    """What the timeline's template shows: five queries."""
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    found = list(Attempt.objects.filter(chunk__worker=worker).defer("findings").order_by("chunk", "number"))
    left = left_by(found)
    for attempt in found:
        attempts[attempt.chunk_id].append(attempt)
    waits: Waits = defaultdict(list)
    asked = Question.objects.filter(worker=worker, closed="").order_by("pk")
    for pk, start, end in asked.values_list("attempt", "asked_at", "answered_at"):
        waits[pk].append((start, end))
    start = worker.started_at or worker.created_at
    axis = Axis(start, max(worker.completed_at or timezone.now(), start + timedelta(seconds=1)))
    chunks = [_chunk_row(chunk, attempts[chunk.pk], waits, left, axis, worker) for chunk in worker.chunks.all()]
    if chunks and worker.started_at:
        chunks[0].bars.append(axis.bar("preparing", start, worker.prepared_at or axis.end))
    to_come = sum(row.chunk.outcome == ChunkOutcome.PENDING for row in chunks)
    return {"worker": worker, "chunks": chunks, "ticks": axis.ticks, "waited": bool(waits), "to_come": to_come}


def _chunk_row(
    chunk: WorkerChunk, attempts: list[Attempt], waits: Waits, left: dict[int, Left], axis: Axis, worker: Worker
) -> ChunkRow:
    rows = [_attempt_row(attempt, waits.get(attempt.pk, []), left.get(attempt.pk), axis) for attempt in attempts]
    look = OUTCOME_LOOKS[ChunkOutcome(chunk.outcome)]
    is_stuck = chunk.outcome == ChunkOutcome.PENDING and chunk.ordinal == worker.current and worker.attention
    if chunk.outcome == ChunkOutcome.RUNNING or is_stuck:  # as its worker does: paused, waiting, or ended with it
        look = words.worker_look(worker)
    return ChunkRow(chunk, look, rows, chunk.finished_at or worker.completed_at)


def _attempt_row(attempt: Attempt, waits: list[Wait], left: Left | None, axis: Axis) -> AttemptRow:
    end = attempt.finished_at or axis.end
    bars = [axis.bar("executing", attempt.started_at, attempt.reviewed_at or end)]
    if attempt.reviewed_at:
        bars.append(axis.bar("reviewing", attempt.reviewed_at, end))
    if attempt.status in (AttemptStatus.FAILED, AttemptStatus.LOST):
        bars.append(Bar("cap", f"{max(axis.percent(end) - NARROWEST, 0):.2f}%", f"{NARROWEST}%"))
    bars += [axis.bar("waiting", start, until or axis.end) for start, until in waits]
    look = words.ATTEMPT_LOOKS[AttemptStatus(attempt.status)]
    if attempt.status == AttemptStatus.RUNNING and any(until is None for _, until in waits):
        look = words.ATTENTION
    return AttemptRow(attempt, look, _outcome(attempt, look), bars, left)


def _outcome(attempt: Attempt, look: words.Look) -> str:
    """`Command failed, exit 1`: the reason in words, else the state."""
    if attempt.status not in (AttemptStatus.FAILED, AttemptStatus.LOST) or not attempt.reason:
        return look.word
    word = attempt.reason.replace("_", " ").capitalize()
    shows_code = attempt.exit_code is not None and attempt.exit_code != 0
    return f"{word}, exit {attempt.exit_code}" if shows_code else word
