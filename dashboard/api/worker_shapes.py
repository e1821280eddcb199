"""A worker, its chunks and its attempts as the API shows them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from django.utils import timezone
from pydantic import Field

from dashboard.api.shapes import ProjectName, Shown
from dashboard.api.spec_shapes import ChunkOut
from workers.models import Attempt, Worker, WorkerChunk
from workers.states import AttemptStatus, ChunkOutcome, Reason, Step, Wish, WorkerStatus

if TYPE_CHECKING:
    Status = str
    Outcome = str
else:
    Status = Literal[tuple(WorkerStatus.values)]
    Outcome = Literal[tuple(ChunkOutcome.values)]


class ChunkName(Shown):
    """A chunk by place and title."""

    ordinal: int = Field(description="Counted from 1.")
    title: str


class Progress(Shown):
    """How far a worker has come, in chunks."""

    current: int = Field(description="The number of the current chunk, 0 before the first.")
    total: int
    passed: int
    failed: int
    skipped: int


class WorkerOut(Shown):
    """One run of one spec."""

    id: int
    title: str = Field(description="The title that its spec had when it began.")
    status: Status = Field(
        description="What is true: idle (accepted, not begun), running, paused, completed, failed or stopped."
    )
    desired: Literal[tuple(Wish.values)] = Field(  # type: ignore[valid-type]
        description="What people want: run, pause or stop. A worker that is `running` with `pause` is about to pause."
    )
    step: Literal[tuple(Step.values)] = Field(  # type: ignore[valid-type]
        description="What it does while it is active: preparing, executing or reviewing."
    )
    chunk: ChunkName | None = Field(description="The current chunk; null before the first.")
    progress: Progress
    spec: int | None = Field(description="The number of its spec; null once that is deleted.")
    project: ProjectName
    slot: int | None = Field(description="The slot that it holds; null once it has ended.")
    node: str = Field(description="The machine that runs it.")
    branch: str = Field(description="The branch of its git worktree; empty without one.")
    base_commit: str = Field(description="What the branch began with.")
    attention: str = Field(description="The oldest question that waits for a person; empty when none does.")
    waits_for: str = Field(description="What it waits for by itself, such as the end of a rate limit.")
    reason: Literal[("", *Reason.values)] = Field(  # type: ignore[valid-type]
        description="Why it ended otherwise than by completing, or is about to; empty otherwise."
    )
    error: str = Field(description="The same as a sentence.")
    tokens_in: int
    tokens_out: int
    cost: float = Field(description="Dollars.")
    continues: int | None = Field(description="The worker whose workspace and passed chunks it took over.")
    removed: bool = Field(description="Whether somebody has taken it off the list of active workers.")
    created_by: str
    created_at: datetime
    started_at: datetime | None
    paused_at: datetime | None = Field(description="Since when it is paused; null while it is not.")
    completed_at: datetime | None = Field(description="When it ended, however it ended.")
    duration: float | None = Field(description="Seconds since its start, without pauses; null before it.")
    last_line: str = Field(description="The last line that it has written.")

    @classmethod
    def of(cls, worker: Worker, chunk_title: str | None) -> "WorkerOut":
        """One worker, with the title of its current chunk."""
        return cls.copied(
            worker,
            chunk=None if chunk_title is None else ChunkName(ordinal=worker.current, title=chunk_title),
            progress=Progress.copied(worker),
            spec=worker.spec_id,
            project=ProjectName.copied(worker.project),
            node=worker.node.name,
            cost=float(worker.cost),
            continues=worker.continues_id,
            duration=seconds(worker.clock_start, worker.clock_end),
        )


def workers_shown(workers: Iterable[Worker]) -> list[WorkerOut]:
    """Workers, with their project and node read, as the API shows them: one query for the titles of their chunks."""
    workers = list(workers)
    current = {worker.pk: worker.current for worker in workers if worker.current}
    rows = WorkerChunk.objects.filter(worker__in=current, ordinal__in=set(current.values()))
    titles = {(pk, ordinal): title for pk, ordinal, title in rows.values_list("worker", "ordinal", "title")}
    return [WorkerOut.of(worker, titles.get((worker.pk, worker.current))) for worker in workers]


def worker_shown(worker: Worker) -> WorkerOut:
    """One worker."""
    return workers_shown([worker])[0]


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """How long something has taken, or takes already; None before it began."""
    return None if start is None else round(max((end or timezone.now()) - start, timedelta()).total_seconds(), 3)


class AttemptOut(Shown):
    """One try at a chunk."""

    id: int
    worker: int
    chunk: ChunkName
    number: int = Field(description="Counted from 1 for each chunk.")
    status: Literal[tuple(AttemptStatus.values)] = Field(  # type: ignore[valid-type]
        description="running, passed, failed, interrupted (on purpose, not charged) or lost (its runner died)."
    )
    reason: str = Field(description="Why it ended so, for programs.")
    message: str = Field(description="The same as a sentence.")
    exit_code: int | None
    findings: str = Field(description="What the review found; the next attempt is given it.")
    profile: str = Field(description="The profile of its agent; empty without one.")
    tokens_in: int
    tokens_out: int
    cost: float = Field(description="Dollars.")
    log_bytes: int
    log_lines: int
    transcript_bytes: int
    started_at: datetime
    reviewed_at: datetime | None = Field(description="When its review began.")
    finished_at: datetime | None
    duration: float | None = Field(description="Seconds.")

    @classmethod
    def of(cls, attempt: Attempt) -> "AttemptOut":
        """One attempt, with its chunk read."""
        return cls.copied(
            attempt,
            worker=attempt.chunk.worker_id,
            chunk=ChunkName.copied(attempt.chunk),
            cost=float(attempt.cost),
            duration=seconds(attempt.started_at, attempt.finished_at),
        )


class PlannedChunk(ChunkOut):
    """One chunk of a worker's plan, as its spec had it when the worker began, with its outcome."""

    outcome: Outcome = Field(description="pending, running, passed, failed or skipped.")
    commit: str = Field(description="Where the branch stood after it had passed.")
    started_at: datetime | None
    finished_at: datetime | None
