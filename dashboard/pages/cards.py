"""A worker as its card shows it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from dashboard.pages import words
from dashboard.pages.landings import NOWHERE, Standing, standings_of
from dashboard.pages.questions import Ask, open_questions
from workers.models import Worker, WorkerChunk
from workers.models.worker import IS_ACTIVE
from workers.states import ChunkOutcome, Reason, Step, Wish, WorkerStatus

LINGER = timedelta(seconds=30)  # an ended card stays this long, or until its slot is taken
Plan = Sequence[tuple[int, str, str]]  # ordinal, title, outcome


@dataclass(frozen=True)
class Card:
    """What the templates of a worker need; made from the worker and its plan, without a query."""

    worker: Worker
    plan: Plan
    standing: Standing = field(default=NOWHERE, kw_only=True)  # of its branch
    ask: Ask | None = field(default=None, kw_only=True)  # what it waits for a person with

    @property
    def look(self) -> words.Look:
        return words.worker_look(self.worker)

    @property
    def transition(self) -> str:
        return words.transition(self.worker)

    @property
    def group(self) -> str:
        """Which of the filters above the list shows it."""
        if self.worker.attention:
            return "attention"
        return "paused" if self.worker.status == WorkerStatus.PAUSED else "running"

    @property
    def slot_icon(self) -> str:
        return words.slot_icon(self.worker)

    @property
    def can_pause(self) -> bool:
        return self.worker.is_active and self.worker.desired == Wish.RUN

    @property
    def can_resume(self) -> bool:
        return self.worker.is_active and self.worker.desired == Wish.PAUSE

    @property
    def can_stop(self) -> bool:
        return self.worker.is_active and self.worker.desired != Wish.STOP

    @property
    def can_retry(self) -> bool:
        ended = self.worker.status in (WorkerStatus.FAILED, WorkerStatus.STOPPED)
        return ended and self.worker.reason != Reason.REQUEUED and self.worker.spec_id is not None

    @property
    def can_merge(self) -> bool:
        return self.standing.can_merge and self.worker.passed > 0

    @property
    def leaves(self) -> int:
        """When the card of an ended worker leaves the list, in milliseconds since 1970."""
        assert self.worker.completed_at is not None
        return int((self.worker.completed_at + LINGER).timestamp() * 1000)

    @property
    def strip(self) -> str:
        """The template of the card's last line."""
        if self.standing.landing and not self.worker.is_active:
            return "workers/_strip_landing.html"
        if self.worker.error and self.worker.status == WorkerStatus.FAILED:
            return "workers/_strip_error.html"
        if self.worker.is_active and self.worker.attention:
            return "workers/_strip_attention.html"
        if self.transition:
            return "workers/_strip_busy.html"
        return "workers/_strip_waits.html" if self.worker.waits_for else "workers/_strip_line.html"

    @property
    def busy_text(self) -> str:
        """What a transition waits for."""
        by = f" by {self.worker.desired_by}" if self.worker.desired_by else ""
        return {
            "Stopping": f"asked to end{by}; what does not obey is killed",
            "Pausing": f"asked to pause{by}; freezing every process",
            "Resuming": f"asked to go on{by}",
        }[self.transition]

    @property
    def says(self) -> str:
        """What is told to who cannot see it: that it waits for a person, or how it ended; else nothing."""
        worker = self.worker
        if worker.is_active:
            return f"Worker {worker.pk} needs attention: {worker.attention}" if worker.attention else ""
        return f"Worker {worker.pk}, {worker.title}: {self.look.word}."

    @property
    def chunk(self) -> tuple[int, str, str] | None:
        """The current chunk, or the first when none has begun."""
        return next((row for row in self.plan if row[0] == (self.worker.current or 1)), None)

    @property
    def chunk_label(self) -> str:
        """`Chunk 3/5:` or `Next chunk 1/6:`."""
        if self.chunk is None:
            return ""
        to_come = self.worker.is_active and self.chunk[2] == ChunkOutcome.PENDING
        word = "Next chunk" if to_come and not (self.ask and self.ask.stuck_at) else "Chunk"
        return f"{word} {self.chunk[0]}/{self.worker.total}:"

    @property
    def segments(self) -> list[str]:
        """The kind of each progress segment."""
        stuck = self.ask.stuck_at if self.ask else 0
        return ["waiting" if ordinal == stuck else self._segment(outcome) for ordinal, _, outcome in self.plan]

    def _segment(self, outcome: str) -> str:
        if outcome != ChunkOutcome.RUNNING:
            return outcome
        if not self.worker.is_active:
            return "pending"
        if self.worker.attention:
            return "waiting"
        if self.worker.status == WorkerStatus.PAUSED:
            return "paused"
        return "reviewing" if self.worker.step == Step.REVIEWING else "running"

    @property
    def progress_label(self) -> str:
        """The segments in words: `2 passed, 1 running, 2 to come`."""
        names = {"pending": "to come", "waiting": "waiting for a person", "reviewing": "in review"}
        counted = Counter(self.segments)
        return ", ".join(f"{number} {names.get(kind, kind)}" for kind, number in counted.items()) or "no chunks"

    @property
    def reason(self) -> str:
        """Why it ended, naming the chunks that failed or who stopped it; empty when it completed."""
        failed = [(ordinal, title) for ordinal, title, outcome in self.plan if outcome == ChunkOutcome.FAILED]
        if self.worker.status == WorkerStatus.STOPPED and self.worker.error:
            return self.worker.error.removesuffix(".")  # says who
        if self.worker.reason not in (Reason.CHUNK_FAILED, Reason.CHUNKS_FAILED) or not failed:
            return Reason(self.worker.reason).label if self.worker.reason else ""
        if len(failed) == 1:
            return "Chunk {} failed: {}".format(*failed[0])
        return f"{len(failed)} chunks failed: {', '.join(title for _, title in failed)}"

    @property
    def step_tone(self) -> str:
        return {"paused": "info", "starting": "mute"}.get(self.look.icon, "accent")


def cards_of(workers: Iterable[Worker]) -> list[Card]:
    """The cards of several workers: one query for all their plans, more when any waits for a person or has ended."""
    workers = list(workers)
    plans: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    rows = WorkerChunk.objects.filter(worker__in=[worker.pk for worker in workers]).order_by("worker", "ordinal")
    for pk, ordinal, title, outcome in rows.values_list("worker", "ordinal", "title", "outcome"):
        plans[pk].append((ordinal, title, outcome))
    asks = open_questions(worker.pk for worker in workers if worker.attention)
    standings = standings_of(workers)
    return [
        Card(
            worker,
            plans[worker.pk],
            ask=next(iter(asks.get(worker.pk, ())), None),
            standing=standings.get(worker.pk, NOWHERE),
        )
        for worker in workers
    ]


def head_card(worker: Worker) -> Card:
    """What the head of a worker's page needs."""
    (card,) = cards_of([worker])
    return card


def active_workers() -> list[Worker]:
    """The active workers in the order of their slots: one query."""
    return list(Worker.objects.filter(IS_ACTIVE).select_related("project", "node").order_by("slot"))


def lingering(active: Iterable[Worker]) -> list[Worker]:
    """Workers that ended a moment ago, whose slot nobody has taken yet and that nobody has removed: one query."""
    recent = Worker.objects.filter(completed_at__gt=timezone.now() - LINGER, removed=False)
    taken = {worker.slot for worker in active}
    latest: dict[int, Worker] = {}
    for worker in recent.select_related("project", "node").order_by("-completed_at", "-pk")[:100]:
        if worker.last_slot not in taken:
            latest.setdefault(worker.last_slot, worker)
    return list(latest.values())
