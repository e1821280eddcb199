"""The audit log, for administrators."""

from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from dashboard import access, audit_log
from dashboard.audit_log import Filter, Page
from dashboard.models import AuditEntry, Source
from dashboard.pages.page import show
from queue_app.errors import BadValue

# Kinds of targets that have a page.
PAGES = {"worker": "worker", "spec": "spec", "project": "project", "profile": "profile", "account": "account"}


@access.administering("GET", "HEAD")
def index(request: HttpRequest) -> HttpResponse:
    """One page of entries, with links to the newer and the older ones."""
    asked, error = request.GET.dict(), ""
    try:
        wanted = Filter.parse(asked)
        found = audit_log.page(wanted.entries(), older=asked.get("older", ""), newer=asked.get("newer", ""))
    except BadValue as refusal:
        wanted, found, error = Filter(), Page([]), str(refusal)
    context = {
        "filter": wanted,
        "given": {name: asked.get(name, "") for name in ("actor", "source", "action", "target", "since", "until")},
        "rows": [(entry, _address(entry)) for entry in found.rows],
        "found": found,
        "sources": Source.choices,
        "error": error,
    }
    status = HTTPStatus.BAD_REQUEST if error else HTTPStatus.OK
    return show(request, "audit/index.html", context, section="audit", status=status)


def _address(entry: AuditEntry) -> str:
    """The page of what it was done to, which may have been deleted since; "" when there is none."""
    name = PAGES.get(entry.kind, "")
    return reverse(name, args=[entry.target_id]) if name and entry.target_id and entry.target_id > 0 else ""


@access.administering("GET")
def export(request: HttpRequest, form: str) -> HttpResponseBase:
    """All entries that the filter lets through, as a file."""
    if form not in audit_log.FORMATS:
        raise Http404
    try:
        wanted = Filter.parse(request.GET.dict())
    except BadValue as error:
        return HttpResponse(str(error), status=HTTPStatus.BAD_REQUEST, content_type="text/plain; charset=utf-8")
    return audit_log.export(request, wanted, form)
