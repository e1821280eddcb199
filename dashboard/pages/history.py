"""Finished workers, newest first, page by page without counting what lies before."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from dashboard import access
from dashboard.pages.cards import cards_of
from dashboard.pages.page import show
from dashboard.pages.spec_fragments import newest_finished
from dashboard.worker_lists import beyond, cursor, place
from workers.models import Worker
from workers.models.worker import IS_FINAL
from workers.states import WorkerStatus

PAGE = 25
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
    if after := place(asked.get("newer", "")):
        rows = list(found.filter(beyond("gt", after)).order_by("completed_at", "pk")[: PAGE + 1])
        more, rows = len(rows) > PAGE, rows[:PAGE][::-1]
        return rows, cursor(rows[0]) if more and rows else "", cursor(rows[-1]) if rows else ""
    before = place(asked.get("older", ""))
    if before:
        found = found.filter(beyond("lt", before))
    rows = list(found.order_by("-completed_at", "-pk")[: PAGE + 1])
    more, rows = len(rows) > PAGE, rows[:PAGE]
    return rows, cursor(rows[0]) if before and rows else "", cursor(rows[-1]) if more else ""
