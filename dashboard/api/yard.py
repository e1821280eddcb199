"""How much may run at once, and whether the queue moves."""

from datetime import datetime

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from dashboard.api import conditions
from dashboard.api.authentication import ACTING
from dashboard.api.extras import CONDITIONAL
from dashboard.api.paging import Body
from dashboard.api.shapes import Shown, left_out
from queue_app import dispatch
from queue_app.models import MOST_WORKERS, WorkerQueue, Yard
from workers.models import Worker
from workers.models.worker import IS_ACTIVE

router = Router(tags=["settings"])


class YardOut(Shown):
    """The settings that count for all, and how things stand."""

    limit: int = Field(description="How many workers may be active at once.")
    paused: bool = Field(description="Whether the queue stands still; running workers go on.")
    paused_by: str
    paused_at: datetime | None
    active: int = Field(description="How many workers are active now.")
    waiting: int = Field(description="How many specs wait now.")

    @classmethod
    def now(cls) -> "YardOut":
        """As it is now."""
        active, waiting = Worker.objects.filter(IS_ACTIVE).count(), WorkerQueue.objects.count()
        return cls.copied(Yard.current(), active=active, waiting=waiting)


class YardChange(Body):
    """What shall become different; what is left out stays."""

    limit: int = left_out(ge=0, le=MOST_WORKERS, description="Nothing is stopped when it falls.", examples=[8])
    paused: bool = left_out(description="The same as pausing or resuming the queue.")


@router.get("/settings", response=YardOut, summary="Get the settings")
def get_settings(request: HttpRequest) -> YardOut:
    """How many workers may be active, whether the queue moves, and how many are active and wait."""
    return YardOut.now()


@router.patch("/settings", auth=ACTING, response=YardOut, summary="Change the settings", openapi_extra=CONDITIONAL)
def update_settings(request: HttpRequest, body: YardChange) -> YardOut:
    """Change the limit of active workers, or whether the queue moves. What may start then does so at once."""
    by = request.user.get_username()

    def verb(yard: Yard) -> None:
        if "paused" in body.model_fields_set:
            (dispatch.pause_queue if body.paused else dispatch.resume_queue)(by)
        if "limit" in body.model_fields_set:
            dispatch.set_limit(body.limit, by)

    conditions.change(request, Yard.current, lambda _: YardOut.now(), verb, lock=lambda _: Yard.locked())
    return YardOut.now()
