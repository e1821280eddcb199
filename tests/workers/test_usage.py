"""What agents have used, looked back at."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support import make
from workers.models import Attempt
from workers.models.usage import usage_by_day

pytestmark = pytest.mark.django_db


def used(day: int, profile: str, tokens_in: int, cost: str) -> None:
    """An attempt of an agent, begun on that day of May 2026 at noon."""
    worker = make.agents_worker()
    attempt = Attempt.open(worker, worker.chunks.get())
    at = datetime(2026, 5, day, 12, tzinfo=UTC)
    facts = {"tokens_in": tokens_in, "tokens_out": 1, "cost": Decimal(cost)}
    Attempt.objects.filter(pk=attempt.pk).update(started_at=at, profile=profile, **facts)


def test_usage_is_summed_per_profile_and_day() -> None:
    for day, profile, tokens, cost in [(4, "a", 10, "0.5"), (4, "a", 5, "0.25"), (4, "b", 7, "0"), (5, "a", 1, "1")]:
        used(day, profile, tokens, cost)
    used(4, "", 99, "9")  # no agent
    used(3, "a", 99, "9")  # too early
    with CaptureQueriesContext(connection) as queries:
        days = usage_by_day(datetime(2026, 5, 4, tzinfo=UTC))
    assert len(queries) == 1
    assert [(day.day.day, day.profile, day.attempts, day.tokens_in, day.tokens_out, day.cost) for day in days] == [
        (5, "a", 1, 1, 1, Decimal("1")),
        (4, "a", 2, 15, 2, Decimal("0.75")),
        (4, "b", 1, 7, 1, Decimal("0")),
    ]
    [first] = usage_by_day(datetime(2026, 5, 3, tzinfo=UTC), until=datetime(2026, 5, 4, tzinfo=UTC))
    assert (first.day.day, first.tokens_in) == (3, 99)


def test_without_agents_nothing_was_used() -> None:
    assert usage_by_day(datetime(2026, 5, 4, tzinfo=UTC)) == []
