"""What waits: where each entry stands, why it waits, and when it will probably start."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from django.db.models import Q, QuerySet
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


def outlooks(entries: Sequence[WorkerQueue], yard: Yard, places: Iterable[int] | None = None) -> list[Outlook]:
    """Those of entries with their places, which are the first ones unless given: a constant number of queries.

    They come with their spec and its project.
    """
    if not entries:
        return []
    situation = Situation.read(yard, timezone.now())
    situation.learn(list(entries))
    recent = _recent_durations()
    return [
        _outlook(entry, place, situation, recent) for entry, place in zip(entries, places or count(1), strict=False)
    ]


def outlook(entry: WorkerQueue) -> Outlook:
    """The same for one entry, wherever it stands."""
    ahead = Q(priority=entry.priority, rank__lt=entry.rank) | Q(priority__gt=entry.priority)
    place = WorkerQueue.objects.filter(ahead, priority__gte=entry.priority).count() + 1
    return outlooks([entry], Yard.current(), [place])[0]


def page(after: str, limit: int, *, project: int | None = None, spec: int | None = None) -> tuple[list[Outlook], str]:
    """Up to `limit` entries in order, behind the cursor unless it is empty, and the cursor of the last one.

    "" when there are no more. Only those of a project or a spec, if one is given; their places are those among all.
    Raises ValueError for what is no cursor.
    """
    entries, first = WorkerQueue.objects.select_related("spec__project"), 1
    if after:
        if (found := CURSOR.fullmatch(after)) is None:
            raise ValueError(after)
        place, priority, rank = int(found[1]), int(found[2]), found[3]
        behind = Q(priority__lt=priority) | Q(priority=priority, rank__gt=rank)
        entries, first = entries.filter(behind, priority__lte=priority), place + 1
    if project is None and spec is None:
        rows = list(entries[: limit + 1])
        places: Iterable[int] = count(first)
    else:
        named = {"spec__project": project, "spec": spec}
        rows = list(entries.filter(**{name: pk for name, pk in named.items() if pk is not None})[: limit + 1])
        found_at = _places(entries, {row.pk for row in rows}, first)
        rows = [row for row in rows if row.pk in found_at]  # the others have just gone
        places = [found_at[row.pk] for row in rows]
    shown = outlooks(rows[:limit], Yard.current(), places)
    return shown, shown[-1].cursor if len(rows) > limit else ""


def _places(entries: QuerySet[WorkerQueue], wanted: set[int], first: int) -> dict[int, int]:
    """Where some entries stand among the others, counted from `first`: one query, read up to the last of them."""
    found: dict[int, int] = {}
    if wanted:
        for place, pk in enumerate(entries.values_list("pk", flat=True).iterator(), first):
            if pk in wanted:
                found[pk] = place
                if len(found) == len(wanted):
                    break
    return found


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
