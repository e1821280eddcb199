"""Events as they happen: server-sent events over one long answer."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from dashboard.api import extras, problems
from dashboard.api.paging import LARGEST, Number
from dashboard.events import Wanted, newest
from dashboard.live import sse
from dashboard.live.callers import Caller
from dashboard.live.streams import Stream
from queue_app.errors import BadValue
from workers.states import EventKind

router = Router(tags=["events"])
if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[tuple(EventKind.values)]
HEADER = "Last-Event-ID"
MOST = 100  # values of one filter
FOREIGN = "This page is of another site."
RETRY_SECONDS = 30  # after which one of too many streams may have ended
ADDED = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "The id of the last event that you have got: what came after it is sent first. Browsers send it by "
    "themselves. It counts instead of `since`.",
    "schema": {"type": "integer", "minimum": 0, "maximum": LARGEST},
}


class EventQuery(Schema):
    """Which events: those that fit every filter that is given. A filter may be given several times."""

    kind: list[Kind] = Field([], max_length=MOST, description="Only these kinds.")
    worker: list[Number] = Field([], max_length=MOST, description="Only what is about these workers.")
    project: list[Number] = Field([], max_length=MOST, description="Only what is about workers and specs of these.")
    since: int | None = Field(
        None, ge=0, le=LARGEST, description=f"The same as {HEADER}, for programs that cannot send it."
    )


@router.get(
    "/workers/events",
    summary="Follow events",
    openapi_extra=extras.both({"parameters": [ADDED]}, extras.sent_as(sse.MEDIA_TYPE)),
)
def follow_events(request: HttpRequest, wanted: Query[EventQuery]) -> HttpResponse:
    """Everything that happens, as server-sent events, until you close the connection.

    Each has the event's number as its `id`, its kind as its `event`, and in `data` one JSON object: `seq`, `kind`,
    `worker_id`, `at` and `data`, as docs/events.md describes them. With the id of the last event that you have got you
    miss none and get none twice. Events are kept for a week; when those after that id are gone, an event `reset` says
    so. A stream ends when the token or the session with which it was opened does.
    """
    _refuse_other_sites(request)
    handover = getattr(request, "scope", {}).get(sse.KEY)  # None where nothing can be held open: it ends at once
    filters = Wanted(frozenset(wanted.kind), frozenset(wanted.worker), frozenset(wanted.project))
    most = settings.SPECYARD.event_streams_per_account
    stream = Stream(Caller.of(request), filters, _position(request, wanted.since))
    if handover is not None and not handover.take(stream, most):
        detail = f"You have {most} event streams open already. Close one, or ask for several kinds in one stream."
        retry = {"Retry-After": str(RETRY_SECONDS)}
        return problems.problem(HTTPStatus.TOO_MANY_REQUESTS, detail, kind="too-many-streams", headers=retry)
    return HttpResponse(sse.hello(stream.position), content_type=sse.MEDIA_TYPE, headers=sse.HEADERS)


def _position(request: HttpRequest, since: int | None) -> int:
    """After which event to begin; unless given, after the newest. Raises BadValue."""
    given = request.headers.get(HEADER, "").strip()
    if not given:
        return newest() if since is None else since
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given) <= LARGEST):
        raise BadValue(f"{HEADER}: must be the id of an event, a number.")
    return int(given)


def _refuse_other_sites(request: HttpRequest) -> None:
    """A page of another port of this machine shares our cookies. It could not read a stream, but hold many open."""
    origin = request.headers.get("Origin", "")
    by_session = getattr(request.user, "token", None) is None
    is_ours = not origin or origin in settings.CSRF_TRUSTED_ORIGINS
    if by_session and not is_ours and urlsplit(origin).netloc.lower() != request.get_host().lower():
        raise PermissionDenied(FOREIGN)
