"""What workers have done in a span of time: how they ended, how long they took, what they used."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F

from workers.models import Worker, WorkerChunk
from workers.models.worker import IS_ACTIVE, IS_FINAL
from workers.states import ACTIVE, FINAL, ChunkOutcome, WorkerStatus

MOST = 5_000  # ended workers that are looked at, the latest: the time that it takes has a bound, whatever there is
COLUMNS = (
    "pk",
    "status",
    "reason",
    "started_at",
    "completed_at",
    "paused_for",
    "passed",
    "failed",
    "continues",
    "tokens_in",
    "tokens_out",
    "cost",
)


@dataclass(frozen=True)
class Statistics:
    """From `since`, which is later than asked for when more than MOST workers ended (then not `is_whole`), to `until`.

    Workers by status: active ones as they are now, ended ones of that time; the rest speaks of the ended ones.
    Durations in seconds, without pauses, of those that completed, None where there are none; cost in dollars.
    """

    since: datetime
    until: datetime
    is_whole: bool
    workers: dict[str, int] = field(default_factory=dict)
    passed: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)  # by reason, the most frequent first
    median: float | None = None
    p95: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    cost: Decimal = Decimal(0)

    @property
    def chunks_per_hour(self) -> float:
        """Chunks that passed."""
        hours = max((self.until - self.since) / timedelta(hours=1), 1 / 60)
        return self.passed / hours


def statistics(since: datetime, until: datetime, project: int | None = None) -> Statistics:
    """Of one project, or of all: three queries."""
    mine = Worker.objects.all() if project is None else Worker.objects.filter(project=project)
    ended = mine.filter(IS_FINAL, completed_at__gte=since, completed_at__lt=until).order_by("-completed_at", "-pk")
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in ended.values_list(*COLUMNS)[: MOST + 1]]
    is_whole = len(rows) <= MOST
    rows = rows[:MOST]
    durations = sorted(_seconds(row) for row in rows if _counts(row))
    return Statistics(
        since=since if is_whole else rows[-1]["completed_at"],
        until=until,
        is_whole=is_whole,
        workers=_by_status(mine, rows),
        passed=_sum(rows, "passed") - _inherited(rows),
        failed=_sum(rows, "failed"),
        failures=dict(Counter(row["reason"] for row in rows if row["status"] == WorkerStatus.FAILED).most_common()),
        median=percentile(durations, 0.5),
        p95=percentile(durations, 0.95),
        tokens_in=_sum(rows, "tokens_in"),
        tokens_out=_sum(rows, "tokens_out"),
        cost=sum((row["cost"] for row in rows), Decimal(0)),
    )


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest rank; None where there is nothing."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def _by_status(mine: Any, rows: list[dict[str, Any]]) -> dict[str, int]:
    found = Counter(row["status"] for row in rows)
    active = mine.filter(IS_ACTIVE).order_by().values_list("status").annotate(size=Count("pk"))
    return {**dict.fromkeys((*ACTIVE, *FINAL), 0), **found, **dict(active)}


def _inherited(rows: list[dict[str, Any]]) -> int:
    """Chunks that had passed in the worker before already."""
    continuing = [row["pk"] for row in rows if row["continues"] is not None]
    taken_over = WorkerChunk.objects.filter(worker__in=continuing, outcome=ChunkOutcome.PASSED)
    return taken_over.filter(finished_at__lt=F("worker__created_at")).count()


def _counts(row: dict[str, Any]) -> bool:
    return row["status"] == WorkerStatus.COMPLETED and row["started_at"] is not None


def _seconds(row: dict[str, Any]) -> float:
    took: timedelta = row["completed_at"] - row["started_at"] - row["paused_for"]
    return max(took.total_seconds(), 0.0)


def _sum(rows: list[dict[str, Any]], name: str) -> int:
    return sum(row[name] for row in rows)
