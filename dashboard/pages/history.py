"""Finished workers, newest first, page by page without counting what lies before."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from dashboard import access
from dashboard.pages.cards import cards_of
from dashboard.pages.page import show
from dashboard.pages.spec_fragments import newest_finished
from workers.models import Worker
from workers.models.worker import IS_FINAL
from workers.states import WorkerStatus

PAGE = 25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CURSOR = re.compile(r"(\d{1,17})-(\d{1,17})")
STATUSES = [
    (status.value, status.label) for status in (WorkerStatus.COMPLETED, WorkerStatus.FAILED, WorkerStatus.STOPPED)
]


@access.looking()
def index(request: HttpRequest) -> HttpResponse:
    """One page of finished workers, with links to the newer and the older ones."""
    status, project = request.GET.get("status", ""), request.GET.get("project", "")[:200]
    rows, newer, older = _page(_filtered(status, project), request.GET)
    filters = {name: value for name, value in (("status", status), ("project", project)) if value}
    context = {"cards": cards_of(rows), "newer": newer, "older": older, "filters": filters, "statuses": STATUSES}
    context["newest"] = newest_finished()
    return show(request, "history/index.html", context, section="history", topic="history")


def _filtered(status: str, project: str) -> QuerySet[Worker]:
    found = Worker.objects.filter(IS_FINAL).select_related("project", "node")
    if status in dict(STATUSES):
        found = found.filter(status=status)
    return found.filter(project__name=project) if project else found


def _page(found: QuerySet[Worker], asked: Any) -> tuple[list[Worker], str, str]:
    """The rows, newest first, and the cursors of the pages around them (empty at an end)."""
    if after := _place(asked.get("newer", "")):
        rows = list(found.filter(_beyond("gt", *after)).order_by("completed_at", "pk")[: PAGE + 1])
        more, rows = len(rows) > PAGE, rows[:PAGE][::-1]
        return rows, _cursor(rows[0]) if more and rows else "", _cursor(rows[-1]) if rows else ""
    before = _place(asked.get("older", ""))
    if before:
        found = found.filter(_beyond("lt", *before))
    rows = list(found.order_by("-completed_at", "-pk")[: PAGE + 1])
    more, rows = len(rows) > PAGE, rows[:PAGE]
    return rows, _cursor(rows[0]) if before and rows else "", _cursor(rows[-1]) if more else ""


def _beyond(side: str, moment: datetime, pk: int) -> Q:
    """What lies beyond a place in (completed_at, id)."""
    reach = {f"completed_at__{side}e": moment}  # lets the database use its index
    return Q(**reach) & (Q(**{f"completed_at__{side}": moment}) | Q(**{f"pk__{side}": pk}))


def _cursor(worker: Worker) -> str:
    """A place in the order: microseconds since 1970 and the worker's number."""
    assert worker.completed_at is not None
    return f"{(worker.completed_at - EPOCH) // timedelta(microseconds=1)}-{worker.pk}"


def _place(text: str) -> tuple[datetime, int] | None:
    match = CURSOR.fullmatch(text)
    if match is None:
        return None
    try:
        return EPOCH + timedelta(microseconds=int(match[1])), int(match[2])
    except OverflowError:
        return None
