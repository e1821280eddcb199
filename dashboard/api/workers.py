"""Workers: the list, one worker with its plan and its attempts, and what operators ask of them."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from dashboard import access, worker_lists
from dashboard.api import conditions
from dashboard.api.authentication import ACTING
from dashboard.api.extras import CONDITIONAL, located
from dashboard.api.paging import NOT_A_CURSOR, Body, Moment, Number, Page, Paging, by_number, page
from dashboard.api.queue_shapes import EntryOut, begun
from dashboard.api.worker_shapes import (
    AttemptOut,
    PlannedChunk,
    WorkerOut,
    worker_shown,
    workers_shown,
)
from dashboard.api.worker_shapes import Status as WorkerState
from dashboard.worker_lists import Wanted
from queue_app import bulk, dispatch
from queue_app.errors import BadValue
from queue_app.ordering import PRIORITY_HIGHEST, PRIORITY_LOWEST
from specs.models import Spec
from workers.models import Attempt, Worker

router = Router(tags=["workers"])
Priority = Annotated[int, Field(ge=PRIORITY_LOWEST, le=PRIORITY_HIGHEST)]


class WorkerFilter(Schema):
    """Which workers."""

    status: list[WorkerState] = Field([], description="One or several: `?status=failed&status=stopped`.")
    project: Number | None = Field(None, description="The number of a project.")
    spec: Number | None = Field(None, description="The number of a spec.")
    attention: bool | None = Field(None, description="Whether a person has to answer something.")
    since: Moment | None = Field(None, description="Only those that are active or ended at this time or later.")
    until: Moment | None = Field(None, description="Only those that ended before this time.")


class RunIn(Body):
    """A spec that is to run."""

    spec: Number = Field(description="The number of the spec.", examples=[12])
    priority: Priority | None = Field(None, description="-100 to 100; the spec's own without.")
    not_before: Moment | None = Field(None, description="Not to start before this time.")
    top: bool = Field(False, description="Before the others of its priority, not behind them.")


class WorkerAction(Body):
    """One verb for several workers."""

    action: Literal[tuple(bulk.WORKER_VERBS)] = Field(examples=["pause"])  # type: ignore[valid-type]
    ids: list[Number] = Field([], max_length=bulk.MOST, description="Their numbers, or instead:")
    status: list[WorkerState] = Field([], description="All that have one of these statuses, 1000 at most.")


class ResultOut(Schema):
    """What became of one of them."""

    id: int
    outcome: Literal["done", "refused", "missing"]
    detail: str = Field(description="Why it was refused, or that there is none; empty when it was done.")
    current: str = Field(description="The state that did not allow it; empty otherwise.")


class Results(Schema):
    """What became of each."""

    done: int = Field(description="How many of them it was done to.")
    results: list[ResultOut]


def results_shown(results: list[bulk.Result]) -> Results:
    """As the API answers them."""
    return Results(
        done=sum(result.outcome == "done" for result in results),
        results=[ResultOut(**vars(result)) for result in results],
    )


@router.get("/workers", response=Page[WorkerOut], summary="List workers")
def list_workers(request: HttpRequest, chosen: Query[WorkerFilter], paging: Query[Paging]) -> Any:
    """The active workers in the order of their slots, then those that have ended, the latest first."""
    wanted = Wanted(
        statuses=frozenset(chosen.status),
        project=chosen.project,
        spec=chosen.spec,
        attention=chosen.attention,
        since=chosen.since,
        until=chosen.until,
    )
    try:
        found, following = worker_lists.page(wanted, paging.after, paging.limit)
    except ValueError:
        raise BadValue(NOT_A_CURSOR) from None
    return Page[WorkerOut].model_construct(items=workers_shown(found), next=following or None)


@router.post(
    "/workers",
    auth=ACTING,
    response={201: WorkerOut, 202: EntryOut},
    summary="Run a spec",
    openapi_extra=located(201, 202),
)
def create_worker(request: HttpRequest, response: HttpResponse, body: RunIn) -> Status[Any]:
    """Run a spec: 201 with the worker when it starts now, 202 with the entry of the queue when it has to wait.

    `Location` is the address of either. 409 when the spec waits or runs already, or has no chunks.
    """
    return begun(request, response, enqueued(request, body))


def enqueued(request: HttpRequest, body: RunIn) -> Any:
    """Adds the spec to the queue. Raises BadValue when there is no such spec."""
    spec = Spec.objects.select_related("project").filter(pk=body.spec).first()
    if spec is None:
        raise BadValue(f"spec: There is no spec {body.spec}.")
    return dispatch.enqueue(
        spec,
        by=request.user.get_username(),
        priority=body.priority,
        not_before=body.not_before,
        top=body.top,
    )


@router.post("/workers/actions", auth=ACTING, response=Results, summary="Ask something of several workers")
def act_on_workers(request: HttpRequest, body: WorkerAction) -> Results:
    """The same verb for each of the workers in turn, with what became of each: 200 also when some refuse."""
    if bool(body.ids) == bool(body.status):
        raise BadValue("ids: give either ids or status.")
    ids = body.ids or bulk.ids_with_status(body.status)
    return results_shown(bulk.on_workers(body.action, request.user.get_username(), ids))


@router.get("/workers/{int:id}", response=WorkerOut, summary="Get a worker")
def get_worker(request: HttpRequest, id: int) -> WorkerOut:
    """One worker."""
    return worker_shown(access.get_worker(request.user, id))


@router.delete(
    "/workers/{int:id}",
    auth=ACTING,
    response={202: WorkerOut, 204: None},
    summary="Stop a worker and remove it",
    openapi_extra=CONDITIONAL,
)
def delete_worker(request: HttpRequest, id: int) -> Status[Any]:
    """Stop it and take it off the list of active workers: 202 while it still has to end, 204 when it has.

    Its history stays, and so does what it did: `GET` still finds it. Repeating it changes nothing.
    """
    by = request.user.get_username()
    find = partial(access.get_worker, request.user, id)
    conditions.change(request, find, worker_shown, lambda worker: worker.request_removal(by))
    worker = find()
    if worker.is_active:
        return Status(HTTPStatus.ACCEPTED, worker_shown(worker))
    return Status(HTTPStatus.NO_CONTENT, None)


@router.post("/workers/{int:id}/pause", auth=ACTING, response={202: WorkerOut}, summary="Pause a worker")
def pause_worker(request: HttpRequest, id: int) -> Status[WorkerOut]:
    """Ask that everything of it is frozen; within 2 s `status` becomes `paused`. Repeating it changes nothing."""
    return _asked(request, id, Worker.request_pause)


@router.post("/workers/{int:id}/resume", auth=ACTING, response={202: WorkerOut}, summary="Resume a worker")
def resume_worker(request: HttpRequest, id: int) -> Status[WorkerOut]:
    """Ask that it goes on. Repeating it changes nothing."""
    return _asked(request, id, Worker.request_resume)


@router.post("/workers/{int:id}/stop", auth=ACTING, response={202: WorkerOut}, summary="Stop a worker")
def stop_worker(request: HttpRequest, id: int) -> Status[WorkerOut]:
    """Ask that everything of it ends, within 10 s. What has passed is kept. Repeating it changes nothing."""
    return _asked(request, id, Worker.request_stop)


@router.post("/workers/{int:id}/requeue", auth=ACTING, response={202: WorkerOut}, summary="Requeue a worker")
def requeue_worker(request: HttpRequest, id: int) -> Status[WorkerOut]:
    """Stop it now and let its spec wait in the queue again; the chunks that have passed are kept."""
    return _asked(request, id, dispatch.requeue)


@router.post(
    "/workers/{int:id}/retry",
    auth=ACTING,
    response={201: WorkerOut, 202: EntryOut},
    summary="Retry a worker",
    openapi_extra=located(201, 202),
)
def retry_worker(request: HttpRequest, response: HttpResponse, id: int) -> Status[Any]:
    """Go on with a failed or stopped worker's spec at the first chunk that has not passed.

    201 with a new worker that inherits the workspace, 202 with the entry of the queue when it has to wait.
    """
    worker = access.get_worker(request.user, id)
    return begun(request, response, dispatch.retry(worker, request.user.get_username()))


def _asked(request: HttpRequest, pk: int, verb: Callable[[Worker, str], None]) -> Status[WorkerOut]:
    verb(access.get_worker(request.user, pk), request.user.get_username())
    return Status(HTTPStatus.ACCEPTED, worker_shown(access.get_worker(request.user, pk)))


@router.get("/workers/{int:id}/chunks", response=list[PlannedChunk], summary="List a worker's chunks")
def list_worker_chunks(request: HttpRequest, id: int) -> Any:
    """Its plan: the chunks of its spec as they were when it began, in order, each with its outcome."""
    worker = access.get_worker(request.user, id)
    return [PlannedChunk.copied(chunk) for chunk in worker.chunks.order_by("ordinal")]


@router.get("/workers/{int:id}/attempts", response=Page[AttemptOut], summary="List a worker's attempts")
def list_worker_attempts(request: HttpRequest, id: int, paging: Query[Paging]) -> Any:
    """Its attempts in the order in which they began."""
    worker: Worker = access.get_worker(request.user, id)
    rows, following = by_number(Attempt.objects.filter(chunk__worker=worker).select_related("chunk"), paging)
    return page([AttemptOut.of(attempt) for attempt in rows], following)
