"""Drawing regions: from names in the table of topics to HTML that htmx puts into the page."""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import Error as DatabaseError
from django.db.models import Min
from django.utils import timezone

from dashboard.live.topics import Region
from dashboard.pages import fragments
from dashboard.pages.cards import LINGER
from dashboard.pages.fragments import Fragment
from queue_app.models import WorkerQueue
from workers.models import Worker
from workers.states import FINAL

logger = logging.getLogger(__name__)

STATUS_SECONDS = 10.0  # load and memory of the nodes change without an event
QUEUE_SECONDS = 60.0  # the estimates of waiting entries drift
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
            drawn[region] = Drawn(partial(build()), AGAIN_IN.get(region.name, _never)(region))
        except DatabaseError:
            raise  # the caller tries again
        except Exception:
            logger.exception("Cannot draw %s", region)
    return drawn


def partial(fragment: Fragment) -> str:
    """The fragment within the element by which htmx 4 addresses it; it morphs what is there."""
    return f'<hx-partial hx-target="#{fragment.target}" hx-swap="outerMorph">{fragment.render()}</hx-partial>'


def _builders(regions: Collection[Region]) -> Iterator[tuple[Region, Callable[[], Fragment]]]:
    numbers = {region.number for region in regions if region.name in OF_A_WORKER}
    workers = Worker.objects.select_related("project", "node", "spec").in_bulk(numbers) if numbers else {}
    cards = [region.number for region in regions if region.name == "card"]
    for fragment in fragments.cards(cards) if cards else ():
        yield Region("card", fragment.context.worker.pk), lambda fragment=fragment: fragment
    for region in regions:
        if region.name in SHARED:
            yield region, SHARED[region.name]
        elif worker := workers.get(region.number):
            yield region, lambda build=OF_A_WORKER[region.name], worker=worker: build(worker)


SHARED: dict[str, Callable[[], Fragment]] = {
    "nav": fragments.nav,
    "status": fragments.status_line,
    "meter": fragments.meter,
    "controls": fragments.controls,
    "capacity": fragments.capacity,
    "active": fragments.active,
    "queue": fragments.queue_panel,
    "finished": fragments.finished,
}
OF_A_WORKER: dict[str, Callable[[Worker], Fragment]] = {
    "head": fragments.worker_head,
    "facts": fragments.worker_facts,
    "timeline": fragments.worker_timeline,
}


def _never(region: Region) -> None:
    return None


def _next_leave(region: Region) -> float | None:
    """When the next card of an ended worker leaves."""
    recent = Worker.objects.filter(status__in=FINAL, completed_at__gt=timezone.now() - LINGER)
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
    "status": lambda region: STATUS_SECONDS,
    "active": _next_leave,
    "queue": _next_estimate,
    "capacity": _next_estimate,
    "timeline": _while_active,
}
