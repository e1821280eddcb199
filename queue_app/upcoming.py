"""Which workspaces the queue will need next, for nodes that make them ahead."""

from datetime import timedelta

from django.utils import timezone

from queue_app.models import WorkerQueue, Yard
from queue_app.waiting import Situation
from specs.models import Isolation, Project
from workers.models import Node

SOON = timedelta(minutes=10)  # an entry that must wait longer needs nothing yet
LOOKED_AT = 20  # entries at the head of the queue


def upcoming(node: Node, most: int) -> list[Project]:
    """The projects of the first entries that will get a worktree of their own on this node, `most` at most.

    One that goes on with the workspace of an earlier worker needs none.
    """
    now = timezone.now()
    entries = list(WorkerQueue.objects.select_related("spec__project")[:LOOKED_AT])
    entries = [
        entry for entry in entries if _needs_one(entry) and not (entry.not_before and entry.not_before > now + SOON)
    ]
    if not entries or (yard := Yard.current()).paused:
        return []
    situation = Situation.read(yard, now)
    situation.learn(entries)
    chosen = (entry for entry in entries if situation.node_for(entry, with_room=False) == node)
    return [entry.spec.project for entry, _ in zip(chosen, range(most), strict=False)]


def _needs_one(entry: WorkerQueue) -> bool:
    return entry.continues_id is None and entry.spec.project.isolation == Isolation.WORKTREE
