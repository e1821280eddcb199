"""The audit log: who has done what, for administrators."""

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from dashboard import audit_log
from dashboard.api.authentication import ADMINISTERING
from dashboard.audit_log import PAGE, Filter

router = Router()
MOST = 200  # entries of one answer


class AuditEntryOut(Schema):
    """One action."""

    id: int
    at: datetime
    actor: str = Field(description="The account's name; empty for Specyard itself and for who has not signed in.")
    token: str = Field(description="The first letters of the token that was used; empty without one.")
    source: Literal["page", "api", "cli", "admin", "system"] = Field(description="Where it came in.")
    action: str = Field(description="What was done, for example worker.pause.")
    kind: str = Field(description="What it was done to: worker, queue, spec, project, profile, account, token, …")
    target_id: int | None
    label: str = Field(description="The name that it had then.")
    before: dict[str, Any] = Field(description="The fields that have changed, as they were; never a secret.")
    after: dict[str, Any] = Field(description="The same as they became.")


class AuditPage(Schema):
    """Some entries, the latest first."""

    items: list[AuditEntryOut]
    next: str | None = Field(description="Give it as `after` to read on; null at the end.")


class AuditQuery(Schema):
    """Which entries."""

    actor: str | None = Field(None, max_length=150, description="The name of an account.")
    source: Literal["page", "api", "cli", "admin", "system"] | None = None
    action: str | None = Field(None, max_length=60, examples=["worker.pause"])
    target: str | None = Field(
        None, max_length=60, description="A kind, or a kind and a number.", examples=["worker:12"]
    )
    since: datetime | None = Field(None, description="Not before this moment.")
    until: datetime | None = Field(None, description="Before this moment.")
    limit: int = Field(PAGE, ge=1, le=MOST)
    after: str | None = Field(None, max_length=40, description="`next` of the page before.")


@router.get("/audit", auth=ADMINISTERING, response=AuditPage, summary="Read the audit log")
def list_audit_entries(request: HttpRequest, wanted: Query[AuditQuery]) -> dict[str, Any]:
    """Who has done what, from where, with the fields before and after."""
    given = wanted.dict(exclude={"limit", "after"}, exclude_none=True)
    texts = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}
    found = audit_log.page(Filter.parse(texts).entries(), older=wanted.after or "", size=wanted.limit)
    return {"items": found.rows, "next": found.older or None}
