"""One verb for many workers or many entries of the queue, with what became of each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet

from queue_app import dispatch, ordering
from queue_app.errors import BadValue
from queue_app.models import WorkerQueue
from workers.errors import WorkerError
from workers.models import Worker
from workers.models.worker import IS_ACTIVE
from workers.states import ACTIVE, FINAL

MOST = 1000  # workers or entries at once

# What people may ask of several workers; each takes a worker and who asks.
WORKER_VERBS: dict[str, Callable[[Worker, str], object]] = {
    "pause": lambda worker, by: worker.request_pause(by),
    "resume": lambda worker, by: worker.request_resume(by),
    "stop": lambda worker, by: worker.request_stop(by),
    "remove": lambda worker, by: worker.request_removal(by),
    "requeue": dispatch.requeue,
    "retry": dispatch.retry,
}


def _remove(entry: WorkerQueue, by: str) -> None:
    if not dispatch.remove(entry.pk, by):
        raise WorkerQueue.DoesNotExist


ENTRY_VERBS: dict[str, Callable[[WorkerQueue, str], object]] = {
    "remove": _remove,
    "top": lambda entry, by: ordering.move_to_top(entry.pk, by),
    "bottom": lambda entry, by: ordering.move_to_bottom(entry.pk, by),
}
# Several entries that go to the top keep their order when the last of them goes first.
LAST_FIRST = {"top"}


@dataclass(frozen=True)
class Result:
    """What became of one of them: why it was refused or is missing, and the state that it has; both empty when done."""

    id: int
    outcome: str  # done, refused or missing
    detail: str = ""
    current: str = ""


def on_workers(action: str, by: str, ids: Iterable[int]) -> list[Result]:
    """The action on these workers, in this order. Raises BadValue for an unknown action or too many of them."""
    wanted = _few(ids)
    found = Worker.objects.select_related("project", "node", "spec").in_bulk(wanted)
    return _each(_known(action, WORKER_VERBS), wanted, found, by, "worker")


def on_entries(action: str, by: str, ids: Iterable[int]) -> list[Result]:
    """The action on these entries. Raises BadValue for an unknown action or too many of them."""
    verb, wanted = _known(action, ENTRY_VERBS), _few(ids)
    found = WorkerQueue.objects.select_related("spec__project").in_bulk(wanted)
    if action in LAST_FIRST:
        return _each(verb, wanted[::-1], found, by, "queue entry")[::-1]
    return _each(verb, wanted, found, by, "queue entry")


def active_ids() -> list[int]:
    """The active workers in the order of their slots."""
    return list(Worker.objects.filter(IS_ACTIVE).order_by("slot").values_list("pk", flat=True))


def ids_with_status(statuses: Iterable[str]) -> list[int]:
    """The workers that have one of these statuses now: the active ones by slot, then the latest that ended.

    MOST at most.
    """
    wanted = set(statuses)
    found: list[int] = []
    if now := sorted(wanted & set(ACTIVE)):
        found += _ids(Worker.objects.filter(IS_ACTIVE, status__in=now).order_by("slot"))
    for status in sorted(wanted & set(FINAL)):  # each by its index
        found += _ids(Worker.objects.filter(status=status).order_by("-completed_at", "-pk")[: MOST - len(found)])
    return found[:MOST]


def _ids(workers: QuerySet[Worker]) -> list[int]:
    return list(workers.values_list("pk", flat=True))


def _few(ids: Iterable[int]) -> list[int]:
    found = list(dict.fromkeys(ids))
    if len(found) > MOST:
        raise BadValue(f"ids: at most {MOST} at once.")
    return found


def _known(action: str, verbs: dict[str, Any]) -> Any:
    if action not in verbs:
        raise BadValue(f"action: must be one of {', '.join(verbs)}.")
    return verbs[action]


def _each(verb: Any, ids: Sequence[int], found: dict[int, Any], by: str, kind: str) -> list[Result]:
    results = []
    for pk in ids:
        missing = Result(pk, "missing", f"There is no {kind} {pk}.")
        if pk not in found:
            results.append(missing)
            continue
        try:
            verb(found[pk], by)
            results.append(Result(pk, "done"))
        except ObjectDoesNotExist:  # gone meanwhile
            results.append(missing)
        except WorkerError as error:
            results.append(Result(pk, "refused", str(error), error.current))
    return results
