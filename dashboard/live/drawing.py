"""Drawing regions: from names in the table of topics to HTML that htmx puts into the page."""

import functools
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import Error as DatabaseError
from django.db.models import Min, QuerySet
from django.utils import timezone

from dashboard.live.topics import Region
from dashboard.pages import fragments, profile_fragments, spec_fragments
from dashboard.pages.cards import LINGER
from dashboard.pages.fragments import Fragment
from queue_app.models import WorkerQueue
from specs.models import Spec
from workers.models import Worker

logger = logging.getLogger(__name__)

STATUS_SECONDS = 10.0  # load and memory of the nodes change without an event
QUEUE_SECONDS = 60.0  # the estimates of waiting entries drift
PROFILE_SECONDS = 30.0  # agents are installed, and sessions begin and end, without an event
TIMELINE_SECONDS = 5.0  # the bar of a silent chunk grows
MOMENT = 0.05  # added to a moment, so that it has passed when it is looked at


@dataclass(frozen=True)
class Drawn:
    """A region as htmx takes it, and in how many seconds it will look different although nothing happens."""

    html: str
    again_in: float | None = None


def draw(regions: Collection[Region]) -> dict[Region, Drawn]:
    """Draw each region once. One that does not exist, or whose template is broken, is left out."""
    drawn = {}
    for region, build in _builders(regions):
        try:
            drawn[region] = Drawn(build().partial(), AGAIN_IN.get(region.name, _never)(region))
        except DatabaseError:
            raise  # the caller tries again
        except Exception:
            logger.exception("Cannot draw %s", region)
    return drawn


SHARED: dict[str, Callable[[], Fragment]] = {
    "nav": fragments.nav,
    "status": fragments.status_line,
    "meter": fragments.meter,
    "controls": fragments.controls,
    "capacity": fragments.capacity,
    "active": fragments.active,
    "queue": fragments.queue_panel,
    "finished": fragments.finished,
    "newest": spec_fragments.newest_finished,
    "project_list": spec_fragments.project_list,
    "profile_list": profile_fragments.profile_list,
    "profile_usage": profile_fragments.profile_usage,
}
FILTERED: dict[str, Callable[[str], Fragment]] = {"spec_list": spec_fragments.spec_list}
OF_A_WORKER: dict[str, Callable[[Worker], Fragment]] = {
    "head": fragments.worker_head,
    "facts": fragments.worker_facts,
    "timeline": fragments.worker_timeline,
    "attention": fragments.worker_attention,
    "words": fragments.worker_words,
    "branch": fragments.worker_branch,
}
OF_A_SPEC: dict[str, Callable[[Spec], Fragment]] = {
    "spec_head": spec_fragments.spec_head,
    "spec_work": spec_fragments.spec_work,
}
Build = Callable[[], Fragment]


def _builders(regions: Collection[Region]) -> Iterator[tuple[Region, Build]]:
    numbers: dict[str, set[int]] = defaultdict(set)
    for region in regions:
        numbers[region.name].add(region.number)
    yield from _parts(numbers)
    for name in numbers.keys() & SHARED.keys():
        yield Region(name), SHARED[name]
    for region in regions:
        if region.name in FILTERED:
            yield region, functools.partial(FILTERED[region.name], region.filter)
    yield from _of_one(OF_A_WORKER, numbers, Worker.objects.select_related("project", "node", "spec"))
    yield from _of_one(OF_A_SPEC, numbers, Spec.objects.select_related("project"))


def _parts(numbers: Mapping[str, set[int]]) -> Iterator[tuple[Region, Build]]:
    """Those of which there are many: read together, drawn one by one."""
    for card in fragments.cards(numbers["card"]) if numbers["card"] else ():
        yield Region("card", card.context.worker.pk), _made(card)
    for row in spec_fragments.spec_rows(list(numbers["spec_row"])) if numbers["spec_row"] else ():
        yield Region("spec_row", row.context.spec.pk), _made(row)


def _of_one(
    builders: Mapping[str, Callable[[Any], Fragment]], numbers: Mapping[str, set[int]], objects: QuerySet[Any]
) -> Iterator[tuple[Region, Build]]:
    """Those of a worker or a spec that exists; each object is read once."""
    wanted = [(name, number) for name in builders for number in numbers.get(name, ())]
    found = objects.in_bulk({number for _, number in wanted}) if wanted else {}
    for name, number in wanted:
        if number in found:
            yield Region(name, number), functools.partial(builders[name], found[number])


def _made(fragment: Fragment) -> Build:
    return lambda: fragment


def _never(region: Region) -> None:
    return None


def _next_leave(region: Region) -> float | None:
    """When the next card of an ended worker leaves."""
    recent = Worker.objects.filter(completed_at__gt=timezone.now() - LINGER, removed=False)
    first = recent.aggregate(first=Min("completed_at"))["first"]
    return None if first is None else _until(first + LINGER)


def _next_estimate(region: Region) -> float | None:
    """When the queue's reasons and estimates are due again; never while nothing waits."""
    if not WorkerQueue.objects.exists():
        return None
    later = WorkerQueue.objects.filter(not_before__gt=timezone.now())
    first = later.aggregate(first=Min("not_before"))["first"]
    return QUEUE_SECONDS if first is None else min(QUEUE_SECONDS, _until(first))


def _while_active(region: Region) -> float | None:
    return TIMELINE_SECONDS if Worker.objects.filter(pk=region.number, completed_at=None).exists() else None


def _until(moment: datetime) -> float:
    return max(0.0, (moment - timezone.now()).total_seconds()) + MOMENT


AGAIN_IN: dict[str, Callable[[Region], float | None]] = {
    "profile_list": lambda region: PROFILE_SECONDS,
    "status": lambda region: STATUS_SECONDS,
    "active": _next_leave,
    "queue": _next_estimate,
    "capacity": _next_estimate,
    "timeline": _while_active,
}
