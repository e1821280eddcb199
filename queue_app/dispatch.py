"""All that happens to the queue but its order: add, remove, pause, limit, and the start of what may start.

Every verb takes the yard's lock first, then workers, then the event counter.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from queue_app.errors import AlreadyRunning, AlreadyWaiting, BadValue, NothingToDo
from queue_app.models import MOST_WORKERS, WorkerQueue, Yard
from queue_app.ordering import check_priority, first_rank, last_rank
from queue_app.waiting import Situation, why
from specs.acting import Target, record
from specs.models import Spec
from workers.errors import StaleTransition
from workers.models import Worker, accept, after_commit, emit, unit_of_work
from workers.models.worker import IS_ACTIVE
from workers.states import EventKind, Reason, WorkerStatus


def enqueue(
    spec: Spec,
    *,
    by: str,
    priority: int | None = None,
    not_before: datetime | None = None,
    top: bool = False,
    continues: Worker | None = None,
) -> WorkerQueue | Worker:
    """Add the spec to the queue and start what may start.

    Gives the worker when it started at once, else the entry that waits. Raises AlreadyWaiting, AlreadyRunning,
    NothingToDo or BadValue; then nothing has changed.
    """
    wanted: dict[str, Any] = {"priority": priority, "not_before": not_before, "top": top, "continues": continues}
    entry = _add(spec, by, timezone.now(), _Tries(), **wanted)
    if isinstance(entry, Worker):
        return entry
    fill_slots()
    if WorkerQueue.objects.filter(pk=entry.pk).exists():
        return entry
    latest = Worker.objects.filter(spec=spec).order_by("-pk").first()
    has_started = latest is not None and (latest.is_active or latest.created_at >= entry.added_at)
    return latest if latest is not None and has_started else entry  # somebody has taken it out of the queue


@dataclass
class _Tries:
    """How often the unit of work of one call was begun: a later try may find what the first has committed."""

    count: int = 0


@unit_of_work
def _add(
    spec: Spec,
    by: str,
    at: datetime,
    tries: _Tries | None = None,
    *,
    priority: int | None = None,
    not_before: datetime | None = None,
    top: bool = False,
    continues: Worker | None = None,
) -> WorkerQueue | Worker:
    """Add an entry. What came of the same call already is given again: the answer to its commit was lost."""
    tries = tries or _Tries(count=1)  # whoever does not count them may have called before
    tries.count += 1
    Yard.locked()
    fresh = Spec.objects.select_for_update().get(pk=spec.pk)
    priority = fresh.priority if priority is None else priority
    check_priority(priority)
    if waiting := WorkerQueue.objects.filter(spec=fresh, lane=0).first():
        if (waiting.added_at, waiting.added_by) == (at, by):
            return waiting
        raise AlreadyWaiting
    active = Worker.objects.filter(IS_ACTIVE, spec=fresh, lane=0)
    if running := active.exclude(reason=Reason.REQUEUED).first():
        if tries.count > 1 and running.created_by == by and running.created_at >= at:
            return running
        raise AlreadyRunning
    if continues is not None:
        _refuse_continued(continues)
    if not fresh.chunks.exists():
        raise NothingToDo
    entry = WorkerQueue.objects.create(
        spec=fresh,
        priority=priority,
        rank=first_rank() if top else last_rank(),
        not_before=not_before,
        continues=continues,
        added_by=by,
        added_at=at,
    )
    emit(EventKind.QUEUE_UPDATED, action="added", entry=entry.pk, spec=fresh.pk, by=by)
    facts = {"spec": fresh.pk, "priority": priority, "not_before": not_before, "continues": entry.continues_id}
    given = {name: fact for name, fact in facts.items() if fact}
    record("queue.add", Target(entry.pk, fresh.title), after=given, by=by)
    return entry


@unit_of_work
def remove(entry_id: int, by: str) -> bool:
    """Take an entry out of the queue. False when it was gone already (removed, or started)."""
    Yard.locked()
    entry = WorkerQueue.objects.select_related("spec").filter(pk=entry_id).first()
    if entry is None:
        return False
    entry.delete()
    emit(EventKind.QUEUE_UPDATED, action="removed", entry=entry_id, spec=entry.spec_id, by=by)
    before = {"spec": entry.spec_id, "priority": entry.priority}
    record("queue.remove", Target(entry_id, entry.spec.title), before=before, by=by)
    return True


@unit_of_work
def set_not_before(entry_id: int, not_before: datetime | None, by: str) -> None:
    """Let an entry wait until a time, or no longer."""
    Yard.locked()
    entry = WorkerQueue.objects.select_related("spec").get(pk=entry_id)
    WorkerQueue.objects.filter(pk=entry_id).update(not_before=not_before)
    emit(EventKind.QUEUE_UPDATED, action="changed", entry=entry_id, spec=entry.spec_id, by=by)
    before, after = {"not_before": entry.not_before}, {"not_before": not_before}
    record("queue.set_not_before", Target(entry_id, entry.spec.title), before=before, after=after, by=by)
    after_commit(fill_slots)


@unit_of_work
def pause_queue(by: str) -> None:
    """Start nothing more until the queue is resumed; running workers go on."""
    yard = Yard.locked()
    if not yard.paused:
        Yard.objects.filter(pk=1).update(paused=True, paused_by=by, paused_at=timezone.now())
        emit(EventKind.QUEUE_UPDATED, action="paused", by=by)
        record("queue.pause", before={"paused": False}, after={"paused": True}, by=by)


def resume_queue(by: str) -> None:
    """Let the queue move again, and start what may start."""
    _resume(by)
    fill_slots()


@unit_of_work
def _resume(by: str) -> None:
    if Yard.locked().paused:
        Yard.objects.filter(pk=1).update(paused=False, paused_by="", paused_at=None)
        emit(EventKind.QUEUE_UPDATED, action="resumed", by=by)
        record("queue.resume", before={"paused": True}, after={"paused": False}, by=by)


def set_limit(limit: int, by: str) -> None:
    """Change how many workers may be active. Nothing is evicted; raises BadValue outside 0 to 1000."""
    _set_limit(limit, by)
    fill_slots()


@unit_of_work
def _set_limit(limit: int, by: str) -> None:
    if not 0 <= limit <= MOST_WORKERS:
        raise BadValue(f"limit: {limit} is not between 0 and {MOST_WORKERS}.")
    before = Yard.locked().limit
    if before != limit:
        Yard.objects.filter(pk=1).update(limit=limit)
        emit(EventKind.SETTINGS_CHANGED, limit=limit, by=by)
        record("queue.set_limit", before={"limit": before}, after={"limit": limit}, by=by)


def requeue(worker: Worker, by: str) -> None:
    """Stop the worker and let its spec wait in the queue again; the passed chunks are kept."""
    _requeue(worker, by, timezone.now(), _Tries())


@unit_of_work
def _requeue(worker: Worker, by: str, at: datetime, tries: _Tries) -> None:
    Yard.locked()
    if worker.spec is None:
        raise NothingToDo
    if not WorkerQueue.objects.filter(continues=worker, added_at=at, added_by=by).exists():
        worker.refresh_from_db(fields=["status", "desired"])
        if worker.state == "stopping":
            raise StaleTransition(f"Worker {worker.pk} is stopping.", current=worker.state)
        worker.request_stop(by, Reason.REQUEUED)
        _add(worker.spec, by, at, tries, continues=worker)
    after_commit(fill_slots)


def retry(worker: Worker, by: str) -> WorkerQueue | Worker:
    """Go on with a failed or stopped worker's spec at its first chunk that has not passed."""
    if worker.status not in (WorkerStatus.FAILED, WorkerStatus.STOPPED):
        refusal = f"Worker {worker.pk} is {worker.status}; only a failed or stopped one can be retried."
        raise StaleTransition(refusal, current=worker.state)
    if worker.spec is None:
        raise NothingToDo("The spec of this worker has been deleted.")
    _refuse_continued(worker)
    return enqueue(worker.spec, by=by, continues=worker)


def _refuse_continued(worker: Worker) -> None:
    if successor := worker.continued_by.order_by("pk").first():
        raise StaleTransition(f"Worker {successor.pk} has continued worker {worker.pk} already.", current="continued")


def fill_slots() -> list[Worker]:
    """Start every entry that may start, in order, while slots are free. Gives the new workers."""
    return _fill_slots() if WorkerQueue.objects.exists() else []


@unit_of_work
def _fill_slots() -> list[Worker]:
    yard = Yard.locked()
    situation = Situation.read(yard, timezone.now())
    started: list[Worker] = []
    for entry in _in_order(situation):
        if why(entry, situation) is None:
            started.append(_start(entry, situation))
        if situation.closed:
            break
    return started


def _in_order(situation: Situation) -> Iterator[WorkerQueue]:
    """The entries in order, as many as there are free slots, then more while blocked ones stand in the way.

    Of those many, what could not start anyhow stays unread. None while nothing can start.
    """
    if situation.closed:
        return
    entries = WorkerQueue.objects.select_related("spec__project")
    size = situation.limit - len(situation.slots)
    batch = list(entries[:size])
    while batch:
        yield from batch
        last = batch[-1]
        behind = Q(priority__lt=last.priority) | Q(priority=last.priority, rank__gt=last.rank)
        size *= 2
        batch = list(entries.filter(behind).exclude(situation.hopeless())[:size])
        situation.learn(batch)


def _start(entry: WorkerQueue, situation: Situation) -> Worker:
    node = situation.node_for(entry)
    assert node is not None
    worker = accept(entry.spec, slot=situation.free_slot(), node=node, by=entry.added_by, continues=entry.continues)
    WorkerQueue.objects.filter(pk=entry.pk).delete()
    emit(EventKind.QUEUE_UPDATED, action="started", entry=entry.pk, spec=entry.spec_id, worker=worker.pk)
    situation.take(worker)
    return worker


def estimate(position: int, durations: list[timedelta], slots: int) -> timedelta | None:
    """About how long the entry at `position` (from 1) waits, from recent durations; None when nothing is known."""
    if not durations or slots < 1:
        return None
    typical = sorted(durations)[len(durations) // 2]
    return typical * ((position - 1) // slots + 1)
