"""What has ended since the yard was made: numbers that never go down, whatever is removed later.

They are counted from the outbox, whose events are numbered in the order of their commits: the row says how far it has
counted, and what came after is added by whoever reads. So nothing is counted twice or left out, ending costs nothing
more, and a million finished workers are two small queries.
"""

from collections import Counter
from decimal import Decimal
from typing import Any

from django.db import models

from workers.models.counted import COUNTED
from workers.models.event import Event, latest_seq
from workers.states import EventKind, WorkerStatus

Key = tuple[str, ...]  # what was counted, then its labels, such as ("workers", "failed", "chunk_failed")
Counts = Counter[Key]
WORKERS, ATTEMPTS = "workers", "attempts"
COST_PARTS = 10_000  # of a dollar: costs are counted in whole ones
COUNTED_AT_ONCE = 10_000  # events
ENDS = {
    EventKind.WORKER_COMPLETED: WorkerStatus.COMPLETED,
    EventKind.WORKER_FAILED: WorkerStatus.FAILED,
    EventKind.WORKER_STOPPED: WorkerStatus.STOPPED,
}


class Totals(models.Model):
    """The one row of what was counted up to event `seq`."""

    seq = models.BigIntegerField(default=0)
    counts = models.JSONField(default=list)  # [[key, number], …]

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="totals_are_single")]

    def __str__(self) -> str:
        return f"Totals to event {self.seq}"

    @classmethod
    def now(cls) -> Counts:
        """Everything that has ended up to now: two queries, of which the second reads what was not counted yet."""
        row = cls._row()
        return row.counted + count(row.seq)

    @classmethod
    def fold(cls) -> bool:
        """Count what came after, COUNTED_AT_ONCE events at most. False when there was nothing, or somebody else did."""
        row = cls._row()
        until = min(latest_seq(), row.seq + COUNTED_AT_ONCE)
        if until <= row.seq:
            return False
        counts = row.counted + count(row.seq, until)
        written = [[key, number] for key, number in sorted(counts.items())]
        return bool(cls.objects.filter(pk=1, seq=row.seq).update(seq=until, counts=written))

    @property
    def counted(self) -> Counts:
        """What was counted up to `seq`."""
        return Counter({tuple(key): number for key, number in self.counts})

    @classmethod
    def _row(cls) -> "Totals":
        found = cls.objects.filter(pk=1).first()
        return found or cls.objects.get_or_create(pk=1)[0]


def count(since: int, until: int | None = None) -> Counts:
    """What ended in the events after number `since`, up to `until` or the newest."""
    wanted = models.Q(kind__in=tuple(ENDS)) | models.Q(kind=EventKind.WORKER_PROGRESS, data__has_key="outcome")
    events = Event.objects.filter(wanted, seq__gt=since)
    if until is not None:
        events = events.filter(seq__lte=until)
    counts: Counts = Counter()
    for kind, data in events.values_list("kind", "data"):
        counts += _of_event(kind, data)
    return counts


def _of_event(kind: str, data: dict[str, Any]) -> Counts:
    if kind in ENDS:
        return Counter({(WORKERS, str(ENDS[EventKind(kind)]), str(data.get("reason", ""))): 1})
    if "attempt" not in data:  # a chunk that was left out
        return Counter()
    used = {name: Decimal(number) for name, number in data.get("used", {}).items() if name in COUNTED}
    used["cost"] = used.get("cost", Decimal(0)) * COST_PARTS
    profile = str(data.get("profile", ""))
    figures: dict[Key, int] = {(name, profile): int(number) for name, number in used.items()}
    return Counter({(ATTEMPTS, str(data["outcome"])): 1, **figures})
