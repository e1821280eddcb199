"""What workers have done, summed up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.api.conftest import Call
from tests.support import make
from workers import statistics as counting
from workers.models import Node, Worker
from workers.states import ChunkOutcome, Reason
from workers.statistics import percentile

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ended(status: str, seconds: int, at: datetime = NOON, **fields: object) -> Worker:
    accepted = make.worker("true", "true")
    worker = Worker.claim(accepted.pk, accepted.epoch)
    assert worker is not None
    worker.fail(Reason.CHUNK_FAILED, "no") if status == "failed" else worker.completed()
    began = at - timedelta(seconds=seconds)
    Worker.objects.filter(pk=worker.pk).update(started_at=began, created_at=began, completed_at=at, **fields)
    return worker


def shown(call: Call, **query: object) -> dict:
    span = {"since": (NOON - timedelta(hours=2)).isoformat(), "until": (NOON + timedelta(hours=2)).isoformat()}
    reply = call("get", "/statistics", **{**span, **query})
    assert reply.status_code == 200, reply.content
    return reply.json()


def test_a_span_of_time(call: Call, node: Node) -> None:
    for seconds in range(1, 21):
        ended("completed", seconds, passed=2, tokens_in=10, tokens_out=1, cost=Decimal("0.25"))
    ended("failed", 500, passed=1, failed=1)
    ended("failed", 500, reason=Reason.RUNNER_LOST)
    ended("failed", 500)
    ended("completed", 99, at=NOON - timedelta(days=1))
    make.worker()
    found = shown(call)
    assert found["workers"] == {"idle": 1, "running": 0, "paused": 0, "completed": 20, "failed": 3, "stopped": 0}
    assert found["chunks"] == {"passed": 41, "failed": 1, "passed_per_hour": 10.25}
    assert found["durations"] == {"p50": 10.0, "p95": 19.0}
    assert [(each["reason"], each["workers"]) for each in found["failures"]] == [
        ("chunk_failed", 2),
        ("runner_lost", 1),
    ]
    assert (found["tokens_in"], found["tokens_out"], found["cost"], found["is_whole"]) == (200, 20, 5.0, True)


def test_pauses_are_no_work(call: Call, node: Node) -> None:
    ended("completed", 100, paused_for=timedelta(seconds=40))
    assert shown(call)["durations"]["p50"] == 60.0


def test_chunks_that_were_taken_over_count_once(call: Call, node: Node) -> None:
    first = ended("failed", 100, passed=1)
    second = ended("completed", 50, passed=2, continues=first)
    long_ago = NOON - timedelta(hours=1)
    first.chunks.filter(ordinal=1).update(outcome=ChunkOutcome.PASSED, finished_at=long_ago)
    second.chunks.filter(ordinal=1).update(outcome=ChunkOutcome.PASSED, finished_at=long_ago)
    second.chunks.filter(ordinal=2).update(outcome=ChunkOutcome.PASSED, finished_at=NOON)
    assert shown(call)["chunks"]["passed"] == 2


def test_one_project(call: Call, node: Node) -> None:
    mine, _ = ended("completed", 10), ended("completed", 20)
    assert shown(call, project=mine.project_id)["workers"]["completed"] == 1
    assert shown(call, project=4711)["durations"] == {"p50": None, "p95": None}


def test_a_span_with_too_many_begins_later(call: Call, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST", 3)
    for hour in range(5):
        ended("completed", 10, at=NOON - timedelta(minutes=hour))
    found = shown(call)
    assert (found["is_whole"], found["workers"]["completed"]) == (False, 3)
    assert found["since"] == "2026-03-01T11:58:00Z"


def test_the_usual_span_is_30_days(call: Call, node: Node) -> None:
    ended("completed", 10, at=timezone.now() - timedelta(days=29))
    ended("completed", 10, at=timezone.now() - timedelta(days=31))
    assert call("get", "/statistics").json()["workers"]["completed"] == 1


def test_a_span_that_ends_before_it_begins_is_refused(call: Call) -> None:
    reply = call("get", "/statistics", since="2026-03-01T12:00:00Z", until="2026-03-01T11:00:00Z")
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "since")


def test_more_workers_ask_no_more(call: Call, node: Node) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            shown(call)
        return len(captured)

    ended("completed", 10, continues=ended("failed", 10))
    queries()
    few = queries()
    for _ in range(5):
        ended("completed", 10, continues=ended("failed", 10))
    assert queries() == few <= 10


def test_percentiles_are_by_nearest_rank() -> None:
    assert [percentile(range(1, 101), share) for share in (0.5, 0.95, 1.0)] == [50, 95, 100]
    assert (percentile([7.0], 0.5), percentile([], 0.5)) == (7.0, None)
