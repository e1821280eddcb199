"""Statistics: what workers have done in a span of time."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from dashboard.api.paging import EARLIEST, Moment, Number
from queue_app.errors import BadValue
from workers.states import Reason
from workers.statistics import MOST, statistics

router = Router(tags=["statistics"])
USUAL = timedelta(days=30)


class Span(Schema):
    """Which time, and whose."""

    project: Number | None = Field(None, description="The number of a project; all without.")
    since: Moment | None = Field(None, description="30 days before `until` without.")
    until: Moment | None = Field(None, description="Now without.")


class Workers(Schema):
    """How many workers: the active ones as they are now, those that ended in that time."""

    idle: int
    running: int
    paused: int
    completed: int
    failed: int
    stopped: int


class ChunksOut(Schema):
    """What became of the chunks of the workers that ended in that time."""

    passed: int
    failed: int
    passed_per_hour: float


class DurationsOut(Schema):
    """How long the workers took that completed: seconds without pauses; null when none did."""

    p50: float | None
    p95: float | None


class FailureOut(Schema):
    """How many workers failed for one reason."""

    reason: str = Field(description="For programs.", examples=["chunk_failed"])
    text: str = Field(description="For people.")
    workers: int


class StatisticsOut(Schema):
    """What workers have done in a span of time."""

    since: datetime = Field(description="Where the span begins: later than asked for when it is not whole.")
    until: datetime
    is_whole: bool = Field(description=f"False when more than {MOST} workers ended in it: the latest were counted.")
    workers: Workers
    chunks: ChunksOut
    durations: DurationsOut
    failures: list[FailureOut] = Field(description="The most frequent first.")
    tokens_in: int
    tokens_out: int
    cost: float = Field(description="Dollars.")


@router.get("/statistics", response=StatisticsOut, summary="Get statistics")
def get_statistics(request: HttpRequest, span: Query[Span]) -> dict[str, Any]:
    """Workers by status, chunks per hour, durations, failures by reason, tokens and cost of a span of time."""
    until = span.until or timezone.now()
    since = span.since or max(until, EARLIEST + USUAL) - USUAL
    if since > until:
        raise BadValue("since: must not be after until.")
    found = statistics(since, until, span.project)
    labels = dict(Reason.choices)
    return {
        **vars(found),
        "chunks": {"passed": found.passed, "failed": found.failed, "passed_per_hour": round(found.chunks_per_hour, 3)},
        "durations": {"p50": found.median, "p95": found.p95},
        "failures": [
            {"reason": reason, "text": labels.get(reason, reason), "workers": size}
            for reason, size in found.failures.items()
        ],
        "cost": float(found.cost),
    }
