"""How much waits, why, and for how long: for whoever watches from afar."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Count, Min
from django.utils import timezone

from queue_app.models import WorkerQueue, Yard
from queue_app.waiting import Cause, Situation, why

LOOKED_AT = 500  # entries at the head of the queue, of which it is said why they wait
FURTHER_BACK = "further_back"  # stands for the cause of all others


@dataclass(frozen=True)
class Census:
    """How many entries wait by cause, and how long the oldest of each has waited."""

    entries: Counter[str] = field(default_factory=Counter)
    oldest: dict[str, timedelta] = field(default_factory=dict)


def census(yard: Yard) -> Census:
    """The queue as it is now, in a constant number of queries."""
    now, found = timezone.now(), Census()
    rows = list(WorkerQueue.objects.select_related("spec__project")[:LOOKED_AT])
    if not rows:
        return found
    situation = Situation.read(yard, now)
    situation.learn(rows)
    for entry in rows:
        wait = why(entry, situation)
        cause = str(wait.cause if wait else Cause.NEXT)
        found.entries[cause] += 1
        found.oldest[cause] = max(found.oldest.get(cause, timedelta()), now - entry.added_at)
    if len(rows) == LOOKED_AT:
        others = WorkerQueue.objects.exclude(pk__in=[entry.pk for entry in rows]).order_by()
        counted = others.aggregate(number=Count("pk"), since=Min("added_at"))
        if counted["number"]:
            found.entries[FURTHER_BACK] = counted["number"]
            found.oldest[FURTHER_BACK] = max(timedelta(), now - counted["since"])
    return found
