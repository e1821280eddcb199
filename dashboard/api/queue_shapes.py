"""An entry of the queue as the API shows it, and what comes of asking for a run."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Schema, Status
from pydantic import Field

from dashboard.api.shapes import ProjectName
from dashboard.api.worker_shapes import worker_shown
from queue_app.errors import RemovedAgain
from queue_app.models import WorkerQueue
from queue_app.outlook import Outlook, outlook
from queue_app.waiting import Cause
from workers.models import Worker
from workers.models.worker import IS_ACTIVE


class WaitOut(Schema):
    """Why an entry waits."""

    cause: Literal[tuple(cause.value for cause in Cause)] = Field(description="For programs.")  # type: ignore[valid-type]
    text: str = Field(description="For people.", examples=["Slots full (5/5)"])
    worker: int | None = Field(description="The worker that stands in its way, where it is one.")
    until: datetime | None = Field(description="Until when, where that is known.")


class EntryOut(Schema):
    """A spec that waits."""

    id: int
    spec: int
    title: str
    project: ProjectName
    priority: int = Field(description="-100 to 100; higher starts first.")
    not_before: datetime | None
    continues: int | None = Field(description="The worker that it will go on from.")
    added_by: str
    added_at: datetime
    place: int = Field(description="Counted from 1.")
    waits: WaitOut
    starts_at: datetime | None = Field(description="About when it will start, by how long the last workers took.")

    @classmethod
    def of(cls, found: Outlook) -> "EntryOut":
        """As it stands now."""
        entry, wait = found.entry, found.wait
        return cls(
            id=entry.pk,
            spec=entry.spec_id,
            title=entry.spec.title,
            project=ProjectName.copied(entry.spec.project),
            priority=entry.priority,
            not_before=entry.not_before,
            continues=entry.continues_id,
            added_by=entry.added_by,
            added_at=entry.added_at,
            place=found.place,
            waits=WaitOut(cause=wait.cause.value, text=wait.text, worker=wait.worker, until=wait.until),
            starts_at=found.starts,
        )


def entry_shown(pk: int) -> EntryOut:
    """The entry as it stands now. Raises WorkerQueue.DoesNotExist."""
    return EntryOut.of(outlook(WorkerQueue.objects.select_related("spec__project").get(pk=pk)))


def begun(
    request: HttpRequest,
    response: HttpResponse,
    result: Worker | WorkerQueue,
    *,
    worker: HTTPStatus = HTTPStatus.CREATED,
    entry: HTTPStatus = HTTPStatus.ACCEPTED,
) -> Status[Any]:
    """The worker that has begun, or the entry that waits, with its address. Raises RemovedAgain."""
    if isinstance(result, WorkerQueue):
        if (waiting := _still_waiting(result)) is not None:
            response["Location"] = f"/api/queue/{result.pk}"
            return Status(entry, waiting)
        result = _begun_meanwhile(result)
    response["Location"] = f"/api/workers/{result.pk}"
    fresh = Worker.objects.select_related("project", "node").get(pk=result.pk)
    return Status(worker, worker_shown(fresh))


def _begun_meanwhile(entry: WorkerQueue) -> Worker:
    """A worker of the spec that ended before the entry was there is another one."""
    own = Worker.objects.filter(IS_ACTIVE | Q(created_at__gte=entry.added_at), spec=entry.spec_id)
    if (worker := own.order_by("-pk").first()) is None:
        raise RemovedAgain
    return worker


def _still_waiting(entry: WorkerQueue) -> EntryOut | None:
    try:
        return entry_shown(entry.pk)
    except WorkerQueue.DoesNotExist:
        return None
