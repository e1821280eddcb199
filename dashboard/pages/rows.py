"""Queue entries as the queue shows them: where they stand, why they wait, when they will probably start."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from dashboard.pages import words
from queue_app import ordering
from queue_app.models import WorkerQueue, Yard
from queue_app.outlook import outlooks
from queue_app.waiting import Cause, Situation, Wait, why
from specs.models import Spec

MOST_ROWS = 100  # drawn at most; the rest is counted
ICONS = {
    Cause.QUEUE_PAUSED: "paused",
    Cause.SPEC_ACTIVE: "running",
    Cause.NOT_BEFORE: "calendar",
    Cause.PROJECT_LIMIT: "folder",
    Cause.PROFILE_LIMIT: "chip",
    Cause.NO_NODE: "server",
    Cause.SLOTS_FULL: "slots",
    Cause.NEXT: "play",
}


class Placed:
    """Something that stands in the list of the queue."""

    entry: WorkerQueue

    @property
    def order(self) -> str:
        """Sorts as the queue does: by priority, higher first, then by rank."""
        return f"{ordering.PRIORITY_HIGHEST - self.entry.priority:03d}{self.entry.rank}"


@dataclass(frozen=True)
class Row(Placed):
    """One waiting entry."""

    entry: WorkerQueue
    place: int
    wait: Wait
    starts: datetime | None
    priorities = words.PRIORITIES
    template = "queue/_row.html"

    @property
    def icon(self) -> str:
        return ICONS[self.wait.cause]

    @property
    def until_form(self) -> str:
        """Only the time when it is today, the date too when it is not."""
        until = self.wait.until
        return "minute" if until and until - timezone.now() < timedelta(hours=20) else "date"


@dataclass(frozen=True)
class Removed(Placed):
    """An entry that has just been taken out, as a strip in its own place that offers to put it back."""

    entry: WorkerQueue
    template = "queue/_undo.html"

    @property
    def values(self) -> str:
        """What it takes to put it back, as JSON."""
        entry = self.entry
        known = {"spec": entry.spec_id, "priority": entry.priority, "rank": entry.rank, "continues": entry.continues_id}
        known["not_before"] = entry.not_before.isoformat() if entry.not_before else None
        return json.dumps({name: value for name, value in known.items() if value is not None})


def rows_of(entries: Sequence[WorkerQueue], yard: Yard) -> list[Row]:
    """The rows of the first entries: a constant number of queries."""
    return [Row(found.entry, found.place, _as_shown(found.wait), found.starts) for found in outlooks(entries, yard)]


def _as_shown(wait: Wait) -> Wait:
    if wait.cause == Cause.NOT_BEFORE:
        return Wait(wait.cause, "Not before", until=wait.until)  # the page shows the time in the reader's zone
    if wait.cause == Cause.SPEC_ACTIVE:
        return Wait(wait.cause, "Still runs in", worker=wait.worker)
    return wait


def landing(spec: Spec) -> str:
    """What would happen to this spec if somebody added it now: one sentence."""
    yard = Yard.current()
    situation = Situation.read(yard, timezone.now())
    entry = WorkerQueue(spec=spec, priority=spec.priority)
    situation.learn([entry])
    wait = why(entry, situation)
    if wait is None and not WorkerQueue.objects.exists():
        return "A slot is free: it starts at once."
    ahead = WorkerQueue.objects.filter(priority__gte=spec.priority).count()
    reason = wait.text if wait else "Others wait already"
    return f"{reason}: would be number {ahead + 1} in the queue."
