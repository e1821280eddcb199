"""Lists of workers: the active ones by slot, then the ended ones, the latest first; page by page without counting."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice
from typing import NamedTuple

from django.db.models import Q, QuerySet

from workers.models import Worker
from workers.models.worker import IS_ACTIVE, IS_FINAL
from workers.states import ACTIVE, FINAL

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CURSOR = re.compile(r"(\d{1,17})-(\d{1,17})")
SLOT_CURSOR = re.compile(r"slot-(\d{1,9})")
MICROSECOND = timedelta(microseconds=1)


class Place(NamedTuple):
    """A place among the ended workers."""

    moment: datetime
    pk: int


def cursor(worker: Worker) -> str:
    """The place of an ended worker as text: microseconds since 1970 and its number."""
    assert worker.completed_at is not None
    return f"{(worker.completed_at - EPOCH) // MICROSECOND}-{worker.pk}"


def place(text: str) -> Place | None:
    """The place that a cursor names; None for what is none."""
    match = CURSOR.fullmatch(text)
    if match is None:
        return None
    try:
        return Place(EPOCH + timedelta(microseconds=int(match[1])), int(match[2]))
    except OverflowError:
        return None


def beyond(side: str, at: Place) -> Q:
    """What lies beyond a place in (completed_at, id), on the side `lt` or `gt`."""
    reach = {f"completed_at__{side}e": at.moment}  # lets the database use its index
    return Q(**reach) & (Q(**{f"completed_at__{side}": at.moment}) | Q(**{f"pk__{side}": at.pk}))


@dataclass(frozen=True)
class Wanted:
    """Which workers; without anything, all. `since` and `until` speak of when they ended; active ones have not yet."""

    statuses: frozenset[str] = field(default_factory=frozenset)
    project: int | None = None
    spec: int | None = None
    attention: bool | None = None
    since: datetime | None = None
    until: datetime | None = None

    def _of(self, workers: QuerySet[Worker]) -> QuerySet[Worker]:
        """Those that belong to what was named."""
        if self.project is not None:
            workers = workers.filter(project=self.project)
        return workers.filter(spec=self.spec) if self.spec is not None else workers

    def active(self) -> QuerySet[Worker]:
        """The active ones, by slot."""
        if self.until is not None:
            return Worker.objects.none()
        found = self._of(Worker.objects.filter(IS_ACTIVE)).order_by("slot")
        if self.statuses:
            found = found.filter(status__in=self.statuses)
        if self.attention is not None:
            found = found.exclude(attention="") if self.attention else found.filter(attention="")
        return found

    def ended(self, before: Place | None) -> list[QuerySet[Worker]]:
        """The ended ones before a place, each list with the latest first; one for each status, if any was named.

        So each list is one stretch of an index, however rare its workers are.
        """
        if self.attention:  # nothing that has ended waits for anybody
            return []
        found = self._of(Worker.objects.filter(IS_FINAL)).order_by("-completed_at", "-pk")
        if before is not None:
            found = found.filter(beyond("lt", before))
        if self.since is not None:
            found = found.filter(completed_at__gte=self.since)
        if self.until is not None:
            found = found.filter(completed_at__lt=self.until)
        named = self.statuses & set(FINAL)
        if not self.statuses:
            return [found]
        return [found.filter(status=status) for status in sorted(named)]


def page(wanted: Wanted, after: str, limit: int) -> tuple[list[Worker], str]:
    """Up to `limit` workers behind the cursor `after` (the first ones when it is empty), and the cursor to go on.

    "" when there are no more. Raises ValueError for what is no cursor. At most five queries.
    """
    slot, before = _parsed(after)
    rows: list[Worker] = []
    if before is None:
        rows = list(_with_relations(wanted.active().filter(slot__gt=slot))[: limit + 1])
    if (room := limit + 1 - len(rows)) > 0 and not (wanted.statuses and wanted.statuses <= set(ACTIVE)):
        rows += _latest(wanted.ended(before), room)
    shown = rows[:limit]
    return shown, _cursor_of(shown[-1]) if len(rows) > limit else ""


def _latest(lists: Iterable[QuerySet[Worker]], most: int) -> list[Worker]:
    found = [list(_with_relations(each)[:most]) for each in lists]
    return list(islice(merge(*found, key=lambda worker: (worker.completed_at, worker.pk), reverse=True), most))


def _with_relations(workers: QuerySet[Worker]) -> QuerySet[Worker]:
    return workers.select_related("project", "node")


def _cursor_of(worker: Worker) -> str:
    return f"slot-{worker.slot}" if worker.completed_at is None else cursor(worker)


def _parsed(after: str) -> tuple[int, Place | None]:
    """The slot and the place behind which to go on."""
    if not after:
        return -1, None
    if found := SLOT_CURSOR.fullmatch(after):
        return int(found[1]), None
    if (before := place(after)) is None:
        raise ValueError(after)
    return -1, before
