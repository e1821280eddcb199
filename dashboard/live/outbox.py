"""Reading the outbox."""

from dataclasses import dataclass
from typing import Any

from dashboard.events.reading import newest as reaches_to
from workers.models import Event
from workers.states import EventKind

MOST_CHANGES = 500  # read at once


@dataclass(frozen=True)
class Change:
    """What an event says about itself."""

    kind: str
    worker_id: int | None
    data: dict[str, Any]

    @property
    def spec_id(self) -> int | None:
        """The spec that it is about, when it says so."""
        found = self.data.get("spec")
        return found if isinstance(found, int) else None

    @property
    def only_output(self) -> bool:
        """Whether nothing happened but that a worker, or its agent, wrote something."""
        wrote = "log_bytes" in self.data or "transcript_bytes" in self.data
        return self.kind == EventKind.WORKER_PROGRESS and wrote


@dataclass(frozen=True)
class Look:
    """What a look into the outbox found: how far it reaches now, and what is new."""

    seq: int
    changes: list[Change]
    gap: bool = False  # something cannot be told any more: draw everything again
    more: bool = False  # there is more to read at once


def look(since: int) -> Look:
    """What was committed after event number `since`: one small query when nothing was."""
    latest = reaches_to()
    if latest <= since:
        return Look(latest, [], gap=latest < since)  # it cannot shrink: this is another database
    rows = Event.objects.filter(seq__gt=since).order_by("seq").values_list("seq", "kind", "worker_id", "data")
    found = list(rows[:MOST_CHANGES])
    if not found:
        return Look(latest, [], gap=True)  # removed because of their age
    return Look(
        seq=found[-1][0],
        changes=[Change(kind, worker_id, data) for _, kind, worker_id, data in found],
        gap=found[0][0] != since + 1,
        more=len(found) == MOST_CHANGES,
    )
