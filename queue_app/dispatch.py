"""All that happens to the queue: add, remove, order, pause, limit, and the start of what may start.

Every verb takes the yard's lock first, then workers, then the event counter.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from fractional_indexing import generate_key_between

from queue_app.errors import AlreadyRunning, AlreadyWaiting, BadPlace, BadValue, NothingToDo
from queue_app.models import MOST_WORKERS, WorkerQueue, Yard
from queue_app.waiting import Situation, why
from specs.models import Spec
from workers.errors import StaleTransition
from workers.models import Worker, accept, after_commit, emit, unit_of_work
from workers.models.worker import IS_ACTIVE
from workers.states import EventKind, Reason, WorkerStatus

PRIORITY_LOWEST, PRIORITY_HIGHEST = -100, 100


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
    entry = _add(spec, by, timezone.now(), priority=priority, not_before=not_before, top=top, continues=continues)
    if isinstance(entry, Worker):
        return entry
    fill_slots()
    if WorkerQueue.objects.filter(pk=entry.pk).exists():
        return entry
    return Worker.objects.filter(spec=spec).latest("pk")


@unit_of_work
def _add(
    spec: Spec,
    by: str,
    at: datetime,
    *,
    priority: int | None = None,
    not_before: datetime | None = None,
    top: bool = False,
    continues: Worker | None = None,
) -> WorkerQueue | Worker:
    """Add an entry. What came of the same call already is given again: the answer to its commit was lost."""
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
        if running.created_by == by and running.created_at >= at:
            return running
        raise AlreadyRunning
    if not fresh.chunks.exists():
        raise NothingToDo
    entry = WorkerQueue.objects.create(
        spec=fresh,
        priority=priority,
        rank=_first_rank() if top else _last_rank(),
        not_before=not_before,
        continues=continues,
        added_by=by,
        added_at=at,
    )
    emit(EventKind.QUEUE_UPDATED, action="added", entry=entry.pk, spec=fresh.pk, by=by)
    return entry


def check_priority(priority: int) -> None:
    """Raise BadValue unless the priority is between -100 and 100."""
    if not PRIORITY_LOWEST <= priority <= PRIORITY_HIGHEST:
        raise BadValue(f"priority: {priority} is not between {PRIORITY_LOWEST} and {PRIORITY_HIGHEST}.")


def _between(low: str | None, high: str | None) -> str:
    rank: str = generate_key_between(low, high)
    return rank


def _first_rank() -> str:
    first = WorkerQueue.objects.order_by("rank").values_list("rank", flat=True).first()
    return _between(None, first)


def _last_rank() -> str:
    last = WorkerQueue.objects.order_by("-rank").values_list("rank", flat=True).first()
    return _between(last, None)


@unit_of_work
def remove(entry_id: int, by: str) -> bool:
    """Take an entry out of the queue. False when it was gone already (removed, or started)."""
    Yard.locked()
    gone, _ = WorkerQueue.objects.filter(pk=entry_id).delete()
    if gone:
        emit(EventKind.QUEUE_UPDATED, action="removed", entry=entry_id, by=by)
    return bool(gone)


@unit_of_work
def move(entry_id: int, by: str, *, before: int | None = None, after: int | None = None) -> WorkerQueue:
    """Put an entry right before or right after another; with neither, at the very end.

    Writes one row. The entry takes its neighbour's priority when its own would not sort there. Raises BadPlace
    when one of the two is gone, or WorkerQueue.DoesNotExist when the entry itself is.
    """
    Yard.locked()
    entry = WorkerQueue.objects.get(pk=entry_id)
    neighbour = _neighbour(entry, before if before is not None else after)
    if neighbour is None:
        return _place(entry, entry.priority, _last_rank(), by)
    above, below = _gap(entry, neighbour, is_above=before is None)
    priority = _fitting(entry.priority, above, below, neighbour)
    return _place(entry, priority, _rank_in(entry, priority, above, below), by)


def _neighbour(entry: WorkerQueue, pk: int | None) -> WorkerQueue | None:
    if pk is None:
        return None
    neighbour = WorkerQueue.objects.exclude(pk=entry.pk).filter(pk=pk).first()
    if neighbour is None:
        raise BadPlace
    return neighbour


def _gap(
    entry: WorkerQueue, neighbour: WorkerQueue, *, is_above: bool
) -> tuple[WorkerQueue | None, WorkerQueue | None]:
    """The entries right above and right below the place beside the neighbour."""
    others = WorkerQueue.objects.exclude(pk=entry.pk)
    if is_above:
        same = others.filter(priority=neighbour.priority, rank__gt=neighbour.rank).order_by("rank").first()
        lower = others.filter(priority__lt=neighbour.priority).order_by("-priority", "rank").first()
        return neighbour, same or lower
    same = others.filter(priority=neighbour.priority, rank__lt=neighbour.rank).order_by("-rank").first()
    higher = others.filter(priority__gt=neighbour.priority).order_by("priority", "-rank").first()
    return same or higher, neighbour


def _fitting(own: int, above: WorkerQueue | None, below: WorkerQueue | None, neighbour: WorkerQueue) -> int:
    """Its own priority when that sorts between the two, else the neighbour's."""
    highest = above.priority if above else PRIORITY_HIGHEST
    lowest = below.priority if below else PRIORITY_LOWEST
    return own if lowest <= own <= highest else neighbour.priority


def _rank_in(entry: WorkerQueue, priority: int, above: WorkerQueue | None, below: WorkerQueue | None) -> str:
    """A rank that sorts the entry between the two within its priority."""
    low = above.rank if above and above.priority == priority else None
    high = below.rank if below and below.priority == priority else None
    if low is None and high is None:
        return entry.rank  # alone in its priority
    return _free_rank(entry, low, high)


def _free_rank(entry: WorkerQueue, low: str | None, high: str | None) -> str:
    """A rank between the two that no entry of another priority holds: ranks are unique in the whole queue."""
    others = WorkerQueue.objects.exclude(pk=entry.pk)
    bounds = {"rank__gt": low} if low is not None else {}
    nearest = others.filter(**bounds).order_by("rank").values_list("rank", flat=True).first() if low else None
    if low is not None:
        return _between(low, nearest)
    before = others.filter(rank__lt=high).order_by("-rank").values_list("rank", flat=True).first()
    return _between(before, high)


def _place(entry: WorkerQueue, priority: int, rank: str, by: str) -> WorkerQueue:
    changed = entry.priority != priority
    entry.priority, entry.rank = priority, rank
    WorkerQueue.objects.filter(pk=entry.pk).update(priority=priority, rank=rank)
    emit(EventKind.QUEUE_UPDATED, action="moved", entry=entry.pk, by=by, priority=priority, priority_changed=changed)
    return entry


def move_to_top(entry_id: int, by: str) -> WorkerQueue:
    """Put an entry before all others, taking the priority of the first."""
    first = WorkerQueue.objects.exclude(pk=entry_id).first()
    return move(entry_id, by, before=first.pk) if first else WorkerQueue.objects.get(pk=entry_id)


def move_to_bottom(entry_id: int, by: str) -> WorkerQueue:
    """Put an entry after all others, taking the priority of the last."""
    last = WorkerQueue.objects.exclude(pk=entry_id).last()
    return move(entry_id, by, after=last.pk) if last else WorkerQueue.objects.get(pk=entry_id)


@unit_of_work
def set_priority(entry_id: int, priority: int, by: str) -> WorkerQueue:
    """Change the priority; the entry goes to the end of those with the same one."""
    check_priority(priority)
    Yard.locked()
    entry = WorkerQueue.objects.get(pk=entry_id)
    return entry if entry.priority == priority else _place(entry, priority, _last_rank(), by)


@unit_of_work
def set_not_before(entry_id: int, not_before: datetime | None, by: str) -> None:
    """Let an entry wait until a time, or no longer."""
    Yard.locked()
    if not WorkerQueue.objects.filter(pk=entry_id).update(not_before=not_before):
        raise WorkerQueue.DoesNotExist
    emit(EventKind.QUEUE_UPDATED, action="changed", entry=entry_id, by=by)
    after_commit(fill_slots)


@unit_of_work
def pause_queue(by: str) -> None:
    """Start nothing more until the queue is resumed; running workers go on."""
    yard = Yard.locked()
    if not yard.paused:
        Yard.objects.filter(pk=1).update(paused=True, paused_by=by, paused_at=timezone.now())
        emit(EventKind.QUEUE_UPDATED, action="paused", by=by)


def resume_queue(by: str) -> None:
    """Let the queue move again, and start what may start."""
    _resume(by)
    fill_slots()


@unit_of_work
def _resume(by: str) -> None:
    if Yard.locked().paused:
        Yard.objects.filter(pk=1).update(paused=False, paused_by="", paused_at=None)
        emit(EventKind.QUEUE_UPDATED, action="resumed", by=by)


def set_limit(limit: int, by: str) -> None:
    """Change how many workers may be active. Nothing is evicted; raises BadValue outside 0 to 1000."""
    _set_limit(limit, by)
    fill_slots()


@unit_of_work
def _set_limit(limit: int, by: str) -> None:
    if not 0 <= limit <= MOST_WORKERS:
        raise BadValue(f"limit: {limit} is not between 0 and {MOST_WORKERS}.")
    if Yard.locked().limit != limit:
        Yard.objects.filter(pk=1).update(limit=limit)
        emit(EventKind.SETTINGS_CHANGED, limit=limit, by=by)


def requeue(worker: Worker, by: str) -> None:
    """Stop the worker and let its spec wait in the queue again; the passed chunks are kept."""
    _requeue(worker, by, timezone.now())


@unit_of_work
def _requeue(worker: Worker, by: str, at: datetime) -> None:
    Yard.locked()
    if worker.spec is None:
        raise NothingToDo
    if not WorkerQueue.objects.filter(continues=worker, added_at=at, added_by=by).exists():
        worker.request_stop(by, Reason.REQUEUED)
        _add(worker.spec, by, at, continues=worker)
    after_commit(fill_slots)


def retry(worker: Worker, by: str) -> WorkerQueue | Worker:
    """Go on with a failed or stopped worker's spec at its first chunk that has not passed."""
    if worker.status not in (WorkerStatus.FAILED, WorkerStatus.STOPPED):
        raise StaleTransition(f"Worker {worker.pk} is {worker.status}; only a failed or stopped one can be retried.")
    if worker.spec is None:
        raise NothingToDo("The spec of this worker has been deleted.")
    if successor := worker.continued_by.order_by("pk").first():
        raise StaleTransition(f"Worker {successor.pk} has continued worker {worker.pk} already.")
    return enqueue(worker.spec, by=by, continues=worker)


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
    emit(EventKind.QUEUE_UPDATED, action="started", entry=entry.pk, worker=worker.pk)
    situation.take(worker)
    return worker


def estimate(position: int, durations: list[timedelta], slots: int) -> timedelta | None:
    """About how long the entry at `position` (from 1) waits, from recent durations; None when nothing is known."""
    if not durations or slots < 1:
        return None
    typical = sorted(durations)[len(durations) // 2]
    return typical * ((position - 1) // slots + 1)
