"""What waits: where each entry stands, why it waits, and when it will probably start."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from queue_app import dispatch
from queue_app.models import RANK_LENGTH, WorkerQueue, Yard
from queue_app.waiting import Cause, Situation, Wait, why
from workers.models import Worker
from workers.states import WorkerStatus

PREDICTABLE = (Cause.SLOTS_FULL, Cause.NEXT)
RECENT = 20  # workers whose durations an estimate goes by
CURSOR = re.compile(rf"(\d{{1,9}})_(-?\d{{1,3}})_([0-9A-Za-z]{{1,{RANK_LENGTH}}})")


@dataclass(frozen=True)
class Outlook:
    """One entry with its place (from 1), why it waits, and about when it starts, if anything is known."""

    entry: WorkerQueue
    place: int
    wait: Wait
    starts: datetime | None

    @property
    def cursor(self) -> str:
        """Names its place in the order, to go on behind it."""
        return f"{self.place}_{self.entry.priority}_{self.entry.rank}"


def outlooks(entries: Sequence[WorkerQueue], yard: Yard, first: int = 1) -> list[Outlook]:
    """Those of entries that follow one another, the first of them at the place `first`: a constant number of queries.

    They come with their spec and its project.
    """
    if not entries:
        return []
    situation = Situation.read(yard, timezone.now())
    situation.learn(list(entries))
    recent = _recent_durations()
    return [_outlook(entry, place, situation, recent) for place, entry in enumerate(entries, first)]


def outlook(entry: WorkerQueue) -> Outlook:
    """The same for one entry, wherever it stands."""
    ahead = Q(priority=entry.priority, rank__lt=entry.rank) | Q(priority__gt=entry.priority)
    place = WorkerQueue.objects.filter(ahead, priority__gte=entry.priority).count() + 1
    return outlooks([entry], Yard.current(), place)[0]


def page(after: str, limit: int) -> tuple[list[Outlook], str]:
    """Up to `limit` entries in order, behind the cursor unless it is empty, and the cursor of the last one.

    "" when there are no more. Raises ValueError for what is no cursor.
    """
    entries, first = WorkerQueue.objects.select_related("spec__project"), 1
    if after:
        if (found := CURSOR.fullmatch(after)) is None:
            raise ValueError(after)
        place, priority, rank = int(found[1]), int(found[2]), found[3]
        behind = Q(priority__lt=priority) | Q(priority=priority, rank__gt=rank)
        entries, first = entries.filter(behind, priority__lte=priority), place + 1
    rows = list(entries[: limit + 1])
    shown = outlooks(rows[:limit], Yard.current(), first)
    return shown, shown[-1].cursor if len(rows) > limit else ""


def next_slot(yard: Yard) -> datetime | None:
    """About when a slot will be free, by how long the last workers took; None when nothing is known."""
    ahead = dispatch.estimate(1, _recent_durations(), yard.limit)
    return timezone.now() + ahead if ahead else None


def _outlook(entry: WorkerQueue, place: int, situation: Situation, recent: list[timedelta]) -> Outlook:
    wait = why(entry, situation) or Wait(Cause.NEXT, "Starts next")
    return Outlook(entry, place, wait, _starts(place, wait, situation, recent))


def _starts(place: int, wait: Wait, situation: Situation, recent: list[timedelta]) -> datetime | None:
    if wait.cause == Cause.NOT_BEFORE:
        return wait.until
    ahead = dispatch.estimate(place, recent, situation.limit) if wait.cause in PREDICTABLE else None
    return situation.now + ahead if ahead else None


def _recent_durations() -> list[timedelta]:
    """How long the last workers took that completed."""
    ended = Worker.objects.filter(status=WorkerStatus.COMPLETED, started_at__isnull=False)
    times = ended.order_by("-completed_at", "-pk").values_list("started_at", "completed_at")[:RECENT]
    return [end - start for start, end in times if start and end]
