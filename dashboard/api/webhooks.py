"""Webhooks: addresses to which events are sent. For administrators."""

from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from dashboard import access
from dashboard.api import conditions, extras
from dashboard.api.authentication import ADMINISTERING
from dashboard.api.paging import Body, Number, Page, Paging, by_number, page
from dashboard.models import DeliveryResult, Webhook
from dashboard.models.webhook import URL_LENGTH
from dashboard.webhooks import verbs
from queue_app.errors import BadValue
from specs.models import Project
from workers.states import EventKind

router = Router(tags=["webhooks"])
if TYPE_CHECKING:
    Kind = str
    StatusName = str
else:
    Kind = Literal[tuple(EventKind.values)]
    StatusName = Literal[tuple(DeliveryResult.values)]
MOST_KINDS = 100
OVERLAP_USUAL, OVERLAP_MOST = verbs.OVERLAP // timedelta(hours=1), 168  # hours
NO_PROJECT = "project: there is no project {id}."


class WebhookOut(Schema):
    """A webhook, without its secret."""

    id: int
    url: str
    kinds: list[Kind] = Field(description="The kinds of events that are sent; empty: all.")
    project: int | None = Field(alias="project_id", description="Only what is about this project; null: everything.")
    active: bool
    state: str = Field(description="working, retrying, failing or disabled.")
    disabled_why: str = Field(description="Why Specyard itself has disabled it; else empty.")
    cursor: int = Field(description="The number of the last event that was considered for it.")
    failures: int = Field(description="Attempts in a row that have failed.")
    next_at: datetime | None = Field(description="When it is tried again after one that has.")
    failing_since: datetime | None = Field(description="When an event was given up, and none has come through since.")
    old_secret_until: datetime | None = Field(description="Until when the secret before this one signs as well.")
    created_by: str
    created_at: datetime


class NewWebhook(WebhookOut):
    """A webhook with a secret that has just been made."""

    secret: str = Field(description="With which you check signatures. It is shown here and never again.")


class WebhookIn(Body):
    """A webhook to be made."""

    url: str = Field(max_length=URL_LENGTH, examples=["https://example.org/specyard"])
    kinds: list[Kind] = Field([], max_length=MOST_KINDS, description="The kinds of events that are sent; empty: all.")
    project: Number | None = Field(None, description="Only what is about this project.")


class WebhookChange(Body):
    """What is to change; what is left out stays."""

    url: str = Field("", max_length=URL_LENGTH)
    kinds: list[Kind] = Field([], max_length=MOST_KINDS)
    project: Number | None = None
    active: bool = Field(True, description="One that is enabled goes on with what happens from then on.")


class Rotation(Body):
    """How a secret gives way to a new one."""

    overlap_hours: int = Field(
        OVERLAP_USUAL,
        ge=0,
        le=OVERLAP_MOST,
        description="How long the old secret signs as well; 0: no longer, for one that somebody else knows.",
    )


class DeliveryOut(Schema):
    """One event on its way to one address."""

    id: int
    webhook: int = Field(alias="webhook_id")
    message: str = Field(alias="uid", description="What the receiver gets as `webhook-id`.")
    seq: int = Field(description="The event's number.")
    kind: str
    status: StatusName = Field(alias="result")
    attempts: int
    created_at: datetime
    last_at: datetime | None = Field(description="When it was tried last.")
    status_code: int | None = Field(description="What the receiver has answered; null when there was no answer.")
    error: str = Field(description="Why it has not been delivered; empty when it has.")
    answer: str = Field(description="The beginning of what the receiver has answered.")


@router.get("/webhooks", auth=ADMINISTERING, response=Page[WebhookOut], summary="List webhooks")
def list_webhooks(request: HttpRequest, paging: Query[Paging]) -> Any:
    """All webhooks in the order in which they were made."""
    rows, following = by_number(Webhook.objects.all(), paging)
    return page(list(rows), following)


@router.post(
    "/webhooks",
    auth=ADMINISTERING,
    response={201: NewWebhook},
    summary="Create a webhook",
    openapi_extra=extras.located(HTTPStatus.CREATED),
)
def create_webhook(request: HttpRequest, response: HttpResponse, given: WebhookIn) -> Status[Webhook]:
    """Have events sent to an address from now on. The secret is in the answer and nowhere else."""
    webhook, secret = verbs.create(given.url, given.kinds, _project(given.project), by=request.user.get_username())
    response["Location"] = f"/api/webhooks/{webhook.pk}"
    return Status(HTTPStatus.CREATED, _with(secret, webhook, response))


@router.get("/webhooks/{int:id}", auth=ADMINISTERING, response=WebhookOut, summary="Show a webhook")
def get_webhook(request: HttpRequest, id: int) -> Webhook:
    """One webhook, and how it goes with it."""
    return access.get_webhook(request.user, id)


@router.patch(
    "/webhooks/{int:id}",
    auth=ADMINISTERING,
    response=WebhookOut,
    summary="Change a webhook",
    openapi_extra=extras.CONDITIONAL,
)
def update_webhook(request: HttpRequest, id: int, given: WebhookChange) -> Webhook:
    """Change its address, kinds or project; disable it, or enable it again."""
    facts = given.dict(exclude_unset=True)
    if "project" in facts:
        facts["project"] = _project(facts["project"])
    _change(request, id, lambda webhook: verbs.change(webhook, by=request.user.get_username(), **facts))
    return access.get_webhook(request.user, id)


@router.delete(
    "/webhooks/{int:id}",
    auth=ADMINISTERING,
    response={204: None},
    summary="Delete a webhook",
    openapi_extra=extras.CONDITIONAL,
)
def delete_webhook(request: HttpRequest, id: int) -> Status[None]:
    """Forget it, with all that was sent to it."""
    _change(request, id, lambda webhook: verbs.delete(webhook, by=request.user.get_username()))
    return Status(HTTPStatus.NO_CONTENT, None)


def _change(request: HttpRequest, pk: int, verb: Callable[[Webhook], object]) -> None:
    conditions.change(request, lambda: access.get_webhook(request.user, pk), WebhookOut.from_orm, verb)


@router.post(
    "/webhooks/{int:id}/rotate", auth=ADMINISTERING, response=NewWebhook, summary="Give a webhook another secret"
)
def rotate_webhook_secret(
    request: HttpRequest, response: HttpResponse, id: int, given: Rotation | None = None
) -> Webhook:
    """Make a new secret, which is in the answer and nowhere else.

    For some hours what is sent carries two signatures, one by each secret, so that the receiver can change its own
    without missing anything.
    """
    webhook = access.get_webhook(request.user, id)
    overlap = timedelta(hours=given.overlap_hours if given else OVERLAP_USUAL)
    secret = verbs.rotate(webhook, overlap, by=request.user.get_username())
    return _with(secret, webhook, response)


def _with(secret: str, webhook: Webhook, response: HttpResponse) -> Webhook:
    """The webhook with its secret, for this answer alone."""
    response["Cache-Control"] = "no-store"
    webhook.secret = secret
    return webhook


@router.post("/webhooks/{int:id}/test", auth=ADMINISTERING, response={202: DeliveryOut}, summary="Test a webhook")
def send_webhook_test(request: HttpRequest, id: int) -> Status[Any]:
    """Have an event of the kind `test` sent to it once, also while it is disabled; its deliveries say how that went."""
    webhook = access.get_webhook(request.user, id)
    return Status(HTTPStatus.ACCEPTED, verbs.try_out(webhook, by=request.user.get_username()))


@router.get("/webhooks/{int:id}/deliveries", auth=ADMINISTERING, response=Page[DeliveryOut], summary="List deliveries")
def list_deliveries(request: HttpRequest, id: int, paging: Query[Paging]) -> Any:
    """What was sent to a webhook within a week, in the order in which it was begun."""
    rows, following = by_number(access.get_webhook(request.user, id).deliveries.all(), paging)
    return page(list(rows), following)


@router.post(
    "/webhooks/deliveries/{int:id}/redeliver",
    auth=ADMINISTERING,
    response={202: DeliveryOut},
    summary="Deliver again",
)
def redeliver(request: HttpRequest, id: int) -> Status[Any]:
    """Send it once more, now, with the same `webhook-id`."""
    found = access.get_delivery(request.user, id)
    verbs.redeliver(found, by=request.user.get_username())
    return Status(HTTPStatus.ACCEPTED, found)


def _project(id: int | None) -> Project | None:
    """Raises BadValue."""
    if id is None:
        return None
    found = Project.objects.filter(pk=id).first()
    if found is None:
        raise BadValue(NO_PROJECT.format(id=id))
    return found
