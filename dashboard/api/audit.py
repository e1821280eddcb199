"""The audit log: who has done what, for administrators."""

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Query, Router, Schema
from pydantic import Field

from dashboard import audit_log
from dashboard.api import extras
from dashboard.api.authentication import ADMINISTERING
from dashboard.api.paging import Moment, Page, Paging, Words, page
from dashboard.audit_log import Filter

router = Router(tags=["audit"])
SourceName = Literal["page", "api", "cli", "admin", "system"]
FormatName = Literal["csv", "ndjson"]


class AuditEntryOut(Schema):
    """One action."""

    id: int
    at: datetime
    actor: str = Field(
        description="The account's name, on the command line the machine's user; empty for Specyard itself and nobody."
    )
    token: str = Field(description="The first letters of the token that was used; empty without one.")
    source: SourceName = Field(description="Where it came in.")
    action: str = Field(description="What was done, for example worker.pause.")
    kind: str = Field(description="What it was done to: worker, queue, spec, project, profile, account, token, …")
    target_id: int | None
    label: str = Field(description="The name that it had then.")
    before: dict[str, Any] = Field(description="The fields that have changed, as they were; never a secret.")
    after: dict[str, Any] = Field(description="The same as they became.")


class AuditQuery(Schema):
    """Which entries."""

    actor: Words = Field("", description="The name of an account.")
    source: SourceName | None = Field(None, description="Where it came in.")
    action: Words = Field("", description="A kind and a verb.", examples=["worker.pause"])
    target: Words = Field("", description="A kind, or a kind and a number.", examples=["worker:12"])
    since: Moment | None = Field(None, description="Not before this moment.")
    until: Moment | None = Field(None, description="Before this moment.")


class AuditExport(AuditQuery):
    """Which entries, and as what."""

    format: FormatName = Field("csv", description="csv for spreadsheets, ndjson: one JSON object a line.")


@router.get("/audit", auth=ADMINISTERING, response=Page[AuditEntryOut], summary="Read the audit log")
def list_audit_entries(request: HttpRequest, wanted: Query[AuditQuery], paging: Query[Paging]) -> Any:
    """Who has done what, from where, with the fields before and after; the latest first."""
    found = audit_log.page(_filter(wanted).entries(), older=paging.after, size=paging.limit)
    return page(found.rows, found.older or None)


@router.get(
    "/audit/export",
    auth=ADMINISTERING,
    summary="Export the audit log",
    openapi_extra=extras.sent_as(*(kind.partition(";")[0] for kind, _ in audit_log.FORMATS.values())),
)
def export_audit_entries(request: HttpRequest, wanted: Query[AuditExport]) -> HttpResponseBase:
    """All of them as a file, sent while it is read, the latest first. This is recorded, too."""
    return audit_log.export(request, _filter(wanted), wanted.format)


def _filter(wanted: AuditQuery) -> Filter:
    """Raises BadValue."""
    given = wanted.dict(exclude_none=True, exclude={"format"})
    texts = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}
    return Filter.parse(texts)
