"""Reading the outbox for programs: events in their order, each once, and which of them somebody wants."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from specs.models import Spec
from workers.models import Event, EventCounter, Worker

AT_ONCE = 500  # events of one page
LOOKED_AT = 20_000  # events at once among which those are that are wanted: others wait for the database meanwhile
RESET = "reset"  # the kind of what is told instead of events that are gone
Row = tuple[int, str, int | None, dict[str, Any], datetime]


@dataclass(frozen=True)
class Told:
    """One event as programs get it. `project` is the id of the project that it is about; 0 where that was not asked."""

    seq: int
    kind: str
    worker_id: int | None
    data: dict[str, Any]
    at: datetime
    project: int | None = 0

    @property
    def body(self) -> dict[str, Any]:
        """The object that programs read, the same in a stream and in a webhook."""
        at = self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"seq": self.seq, "kind": self.kind, "worker_id": self.worker_id, "at": at, "data": self.data}

    @cached_property
    def text(self) -> str:
        """The same as JSON on one line, made once for everybody."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))

    @property
    def workers(self) -> set[int]:
        """The workers that it is about."""
        return {worker for worker in (self.worker_id, self.data.get("worker")) if isinstance(worker, int)}

    @classmethod
    def reset(cls, seq: int, wanted: int, oldest: int) -> "Told":
        """Says that the events between `wanted` and `seq` cannot be told any more."""
        return cls(seq, RESET, None, {"wanted": wanted, "oldest": oldest}, timezone.now())


@dataclass(frozen=True)
class Wanted:
    """Which events somebody wants: those that are in every set that is not empty."""

    kinds: frozenset[str] = frozenset()
    workers: frozenset[int] = frozenset()
    projects: frozenset[int] = frozenset()

    def includes(self, told: Told) -> bool:
        """Whether this one is wanted. A reset always is."""
        if told.kind == RESET:
            return True
        return (
            (not self.kinds or told.kind in self.kinds)
            and (not self.workers or not self.workers.isdisjoint(told.workers))
            and (not self.projects or told.project in self.projects)
        )

    @property
    def is_everything(self) -> bool:
        return not (self.kinds or self.workers or self.projects)

    def among(self, events: QuerySet[Event]) -> QuerySet[Event]:
        """Those that may be wanted; what the database cannot tell is left to `includes`."""
        found = events.filter(kind__in=self.kinds) if self.kinds else events
        if self.workers:
            found = found.filter(Q(worker_id__in=self.workers) | Q(worker_id=None))
        return found


@dataclass(frozen=True)
class Page:
    """What was read: the events that are wanted, and up to which number everything has been considered."""

    events: list[Told]
    seq: int
    is_last: bool


def newest() -> int:
    """The same as `latest_seq`, at a twentieth of its cost: it is asked every second while somebody listens."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT seq FROM {EventCounter._meta.db_table} WHERE id = 1")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def oldest() -> int:
    """The number of the oldest event that is still there; the next one's when none is."""
    return Event.objects.order_by("seq").values_list("seq", flat=True).first() or newest() + 1


def told_after(seq: int, *, with_projects: bool) -> list[Told]:
    """The next AT_ONCE events after number `seq`, whatever they are."""
    return _told(Event.objects.filter(seq__gt=seq), with_projects)


def page_after(seq: int, wanted: Wanted, size: int = AT_ONCE) -> Page:
    """What is wanted of the LOOKED_AT events after number `seq`, of `size` at most.

    A reset instead, which leads to the newest, when some of them are gone (the oldest are removed after a week), or
    when there has never been such a number: it is another database's.
    """
    latest = newest()
    if seq > latest:
        return Page([Told.reset(latest, seq, oldest())], latest, is_last=True)
    until = min(latest, seq + LOOKED_AT)
    found = _told(wanted.among(Event.objects.filter(seq__gt=seq, seq__lte=until)), bool(wanted.projects), size)
    first = oldest()  # asked last: what was read was there
    if first > seq + 1 and latest > seq:
        return Page([Told.reset(latest, seq, first)], latest, is_last=True)
    upto = until if len(found) < size else found[-1].seq
    return Page([told for told in found if wanted.includes(told)], upto, is_last=upto == latest)


def _told(events: QuerySet[Event], with_projects: bool, size: int = AT_ONCE) -> list[Told]:
    rows = events.order_by("seq").values_list("seq", "kind", "worker_id", "data", "at")[:size]
    found = [Told(*row) for row in rows]
    return with_their_projects(found) if with_projects else found


def with_their_projects(events: Iterable[Told]) -> list[Told]:
    """The same, each with the project of its worker or spec; None where it has none. Two queries."""
    found = list(events)
    workers = {worker for told in found for worker in told.workers}
    specs = {told.data["spec"] for told in found if isinstance(told.data.get("spec"), int)}
    of_workers = dict(Worker.objects.filter(pk__in=workers).values_list("pk", "project_id"))
    of_specs = dict(Spec.objects.filter(pk__in=specs).values_list("pk", "project_id"))
    return [replace(told, project=_project(told, of_workers, of_specs)) for told in found]


def _project(told: Told, of_workers: dict[int, int], of_specs: dict[int, int]) -> int | None:
    for worker in told.workers:
        if worker in of_workers:
            return of_workers[worker]
    if told.data.get("spec") in of_specs:
        return of_specs[told.data["spec"]]
    own = told.data.get("project")  # an id in settings_changed, a name elsewhere
    return own if isinstance(own, int) else None
