"""The order of the queue: priority (higher first), then rank. Every change writes one row, under the yard's lock."""

from django.db.models import Q
from fractional_indexing import generate_key_between

from queue_app.errors import BadPlace, BadValue
from queue_app.models import WorkerQueue, Yard
from specs.acting import Target, changes, record
from workers.models import emit, unit_of_work
from workers.states import EventKind

PRIORITY_LOWEST, PRIORITY_HIGHEST = -100, 100
PLACES = ("up", "down", "top", "bottom")


def check_priority(priority: int) -> None:
    """Raise BadValue unless the priority is between -100 and 100."""
    if not PRIORITY_LOWEST <= priority <= PRIORITY_HIGHEST:
        raise BadValue(f"priority: {priority} is not between {PRIORITY_LOWEST} and {PRIORITY_HIGHEST}.")


def _between(low: str | None, high: str | None) -> str:
    rank: str = generate_key_between(low, high)
    return rank


def first_rank() -> str:
    """A rank before all others."""
    first = WorkerQueue.objects.order_by("rank").values_list("rank", flat=True).first()
    return _between(None, first)


def last_rank() -> str:
    """A rank behind all others."""
    last = WorkerQueue.objects.order_by("-rank").values_list("rank", flat=True).first()
    return _between(last, None)


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
        return _place(entry, entry.priority, last_rank(), by)
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
    old = {"priority": entry.priority, "rank": entry.rank}
    entry.priority, entry.rank = priority, rank
    WorkerQueue.objects.filter(pk=entry.pk).update(priority=priority, rank=rank)
    told = {"entry": entry.pk, "spec": entry.spec_id, "priority": priority, "priority_changed": changed}
    emit(EventKind.QUEUE_UPDATED, action="moved", by=by, **told)
    before, after = changes(old, {"priority": priority, "rank": rank})
    record("queue.move", Target(entry.pk, entry.spec.title), before=before, after=after, by=by)
    return entry


@unit_of_work
def move_to_top(entry_id: int, by: str) -> WorkerQueue:
    """Put an entry before all others, taking the priority of the first."""
    Yard.locked()  # or the first could start before the entry is put before it
    first = WorkerQueue.objects.exclude(pk=entry_id).first()
    return move(entry_id, by, before=first.pk) if first else WorkerQueue.objects.get(pk=entry_id)


@unit_of_work
def move_to_bottom(entry_id: int, by: str) -> WorkerQueue:
    """Put an entry after all others, taking the priority of the last."""
    Yard.locked()
    last = WorkerQueue.objects.exclude(pk=entry_id).last()
    return move(entry_id, by, after=last.pk) if last else WorkerQueue.objects.get(pk=entry_id)


@unit_of_work
def move_to(entry_id: int, place: str, by: str) -> WorkerQueue:
    """Put an entry to the "top" or the "bottom", or "up" or "down" past one neighbour; at the end already: nothing.

    Raises BadValue for another place, or WorkerQueue.DoesNotExist.
    """
    if place not in PLACES:
        raise BadValue(f"place: must be one of {', '.join(PLACES)}.")
    Yard.locked()
    if place == "top":
        return move_to_top(entry_id, by)
    if place == "bottom":
        return move_to_bottom(entry_id, by)
    entry = WorkerQueue.objects.get(pk=entry_id)
    neighbour = _next_to(entry, place)
    if neighbour is None:
        return entry
    return move(entry_id, by, **{"before" if place == "up" else "after": neighbour.pk})


def _next_to(entry: WorkerQueue, place: str) -> WorkerQueue | None:
    """The entry right above ("up") or right below ("down")."""
    if place == "up":
        above = Q(priority=entry.priority, rank__lt=entry.rank) | Q(priority__gt=entry.priority)
        return WorkerQueue.objects.filter(above).order_by("priority", "-rank").first()
    below = Q(priority=entry.priority, rank__gt=entry.rank) | Q(priority__lt=entry.priority)
    return WorkerQueue.objects.filter(below).order_by("-priority", "rank").first()


def put_back(entry: WorkerQueue, rank: str, by: str) -> None:
    """To where it once stood: before the first of its priority that sorts behind that rank, whatever has moved since.

    Without such a one it is in its place already.
    """
    behind = WorkerQueue.objects.filter(priority=entry.priority, rank__gt=rank).exclude(pk=entry.pk).order_by("rank")
    while (below := behind.first()) is not None:
        try:
            move(entry.pk, by, before=below.pk)
        except BadPlace:  # that one has just started
            continue
        except WorkerQueue.DoesNotExist:  # the entry itself has
            pass
        return


@unit_of_work
def set_priority(entry_id: int, priority: int, by: str) -> WorkerQueue:
    """Change the priority; the entry goes to the end of those with the same one."""
    check_priority(priority)
    Yard.locked()
    entry = WorkerQueue.objects.get(pk=entry_id)
    return entry if entry.priority == priority else _place(entry, priority, last_rank(), by)
