"""The queue: what waits, its order, and whether it moves."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from dashboard import access
from dashboard.api import conditions
from dashboard.api.authentication import ACTING
from dashboard.api.extras import CONDITIONAL, located, may_refuse
from dashboard.api.paging import NOT_A_CURSOR, Body, Moment, Number, Page, Paging
from dashboard.api.queue_shapes import EntryOut, begun, entry_shown
from dashboard.api.shapes import left_out
from dashboard.api.worker_shapes import WorkerOut
from dashboard.api.workers import Priority, Results, RunIn, enqueued, results_shown
from dashboard.api.yard import YardOut
from queue_app import bulk, dispatch, ordering, outlook
from queue_app.errors import BadValue
from queue_app.models import WorkerQueue, Yard

router = Router(tags=["queue"])


class EntryFilter(Schema):
    """Which entries."""

    project: Number | None = Field(None, description="The number of a project.")
    spec: Number | None = Field(None, description="The number of a spec.")


class EntryChange(Body):
    """What shall become different; what is left out stays."""

    priority: Priority = left_out(description="The entry goes to the end of those that have the same.")
    not_before: Moment | None = left_out(description="Not to start before this time; null: at any time.")


class Reordering(Body):
    """Where an entry shall go: right before or right after another one, or to a place."""

    entry: Number = Field(description="The entry that moves.")
    before: Number | None = Field(None, description="The entry before which it goes.")
    after: Number | None = Field(None, description="The entry behind which it goes.")
    place: Literal[ordering.PLACES] | None = Field(  # type: ignore[valid-type]
        None, description="top or bottom of the queue, or up or down past one neighbour."
    )


class EntryAction(Body):
    """One verb for several entries."""

    action: Literal[tuple(bulk.ENTRY_VERBS)] = Field(examples=["remove"])  # type: ignore[valid-type]
    ids: list[Number] = Field(min_length=1, max_length=bulk.MOST, description="Their numbers.")


class Moved(Schema):
    """Where an entry stands now."""

    entry: EntryOut
    priority_changed: bool = Field(description="Whether it took its neighbour's priority to be able to stand there.")


@router.get("/queue", response=Page[EntryOut], summary="List what waits")
def list_queue(request: HttpRequest, chosen: Query[EntryFilter], paging: Query[Paging]) -> Any:
    """The entries in the order in which they start, each with why it waits and about when it starts.

    `place` counts all entries, also where only some are listed.
    """
    try:
        found, following = outlook.page(paging.after, paging.limit, project=chosen.project, spec=chosen.spec)
    except ValueError:
        raise BadValue(NOT_A_CURSOR) from None
    return Page[EntryOut].model_construct(items=[EntryOut.of(each) for each in found], next=following or None)


@router.post(
    "/queue",
    auth=ACTING,
    response={200: WorkerOut, 201: EntryOut},
    summary="Add a spec to the queue",
    openapi_extra=located(200, 201),
)
def create_entry(request: HttpRequest, response: HttpResponse, body: RunIn) -> Status[Any]:
    """Add a spec: 201 with its entry when it waits, 200 with the worker when it did not have to.

    `Location` is the address of either. 409 when the spec waits or runs already, or has no chunks.
    """
    return begun(request, response, enqueued(request, body), worker=HTTPStatus.OK, entry=HTTPStatus.CREATED)


@router.post(
    "/queue/reorder",
    auth=ACTING,
    response=Moved,
    summary="Move an entry",
    openapi_extra=may_refuse(HTTPStatus.NOT_FOUND),
)
def reorder_queue(request: HttpRequest, body: Reordering) -> Moved:
    """Move an entry next to another one or to a place. Give exactly one of `before`, `after` and `place`."""
    given = {name: value for name in ("before", "after", "place") if (value := getattr(body, name)) is not None}
    if len(given) != 1:
        raise BadValue("place: give exactly one of before, after and place.")
    was, by = access.get_entry(request.user, body.entry), request.user.get_username()
    moved = ordering.move_to(was.pk, body.place, by) if body.place else ordering.move(was.pk, by, **given)
    return Moved(entry=entry_shown(moved.pk), priority_changed=moved.priority != was.priority)


@router.post("/queue/actions", auth=ACTING, response=Results, summary="Do something with several entries")
def act_on_entries(request: HttpRequest, body: EntryAction) -> Results:
    """The same verb for each of the entries, with what became of each: 200 also when some refuse or are missing."""
    return results_shown(bulk.on_entries(body.action, request.user.get_username(), body.ids))


@router.post("/queue/pause", auth=ACTING, response=YardOut, summary="Pause the queue")
def pause_queue(request: HttpRequest) -> YardOut:
    """Start nothing more; running workers go on. Repeating it changes nothing."""
    dispatch.pause_queue(request.user.get_username())
    return YardOut.now()


@router.post("/queue/resume", auth=ACTING, response=YardOut, summary="Resume the queue")
def resume_queue(request: HttpRequest) -> YardOut:
    """Let the queue move again. Repeating it changes nothing."""
    dispatch.resume_queue(request.user.get_username())
    return YardOut.now()


@router.get("/queue/{int:id}", response=EntryOut, summary="Get an entry")
def get_entry(request: HttpRequest, id: int) -> EntryOut:
    """One entry, with its place, why it waits and about when it starts. 404 once it has started or was removed."""
    return entry_shown(access.get_entry(request.user, id).pk)


@router.patch("/queue/{int:id}", auth=ACTING, response=EntryOut, summary="Change an entry", openapi_extra=CONDITIONAL)
def update_entry(request: HttpRequest, id: int, body: EntryChange) -> EntryOut:
    """Change its priority, or the time before which it does not start."""
    by = request.user.get_username()

    def verb(entry: WorkerQueue) -> None:
        if "priority" in body.model_fields_set:
            ordering.set_priority(id, body.priority, by)
        if "not_before" in body.model_fields_set:
            dispatch.set_not_before(id, body.not_before, by)

    _change(request, id, verb)
    return entry_shown(id)


@router.delete(
    "/queue/{int:id}", auth=ACTING, response={204: None}, summary="Remove an entry", openapi_extra=CONDITIONAL
)
def delete_entry(request: HttpRequest, id: int) -> Status[None]:
    """Take it out of the queue. 404 when it has started or was removed already."""
    _change(request, id, lambda entry: dispatch.remove(id, request.user.get_username()))
    return Status(HTTPStatus.NO_CONTENT, None)


def _change(request: HttpRequest, pk: int, verb: Callable[[WorkerQueue], object]) -> None:
    """Under the yard's lock, without which no entry starts, moves or goes."""
    conditions.change(
        request,
        lambda: access.get_entry(request.user, pk),
        lambda entry: EntryOut.of(outlook.outlook(entry)),
        verb,
        lock=lambda _: Yard.locked(),
    )
