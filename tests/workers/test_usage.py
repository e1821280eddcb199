"""What agents have used, looked back at."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support import make
from workers.models import Attempt
from workers.models.usage import usage_by_day

pytestmark = pytest.mark.django_db


def used(day: int, profile: str, tokens_in: int, cost: str, at: time = time(12)) -> None:
    """An attempt of an agent, begun on that day of May 2026."""
    worker = make.agents_worker()
    attempt = Attempt.open(worker, worker.chunks.get())
    facts = {"tokens_in": tokens_in, "tokens_out": 1, "cost": Decimal(cost)}
    Attempt.objects.filter(pk=attempt.pk).update(
        started_at=datetime.combine(date(2026, 5, day), at, UTC), profile=profile, **facts
    )


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


def test_a_day_begins_and_ends_at_midnight_of_utc_wherever_one_asks() -> None:
    for day, at in ((4, time.max), (5, time.min), (5, time(0, 0, 0, 1)), (5, time.max), (6, time.min)):
        used(day, "a", 1, "0", at)
    east = timezone(timedelta(hours=9))
    with CaptureQueriesContext(connection) as queries:
        days = usage_by_day(datetime(2026, 5, 4, tzinfo=UTC).astimezone(east))
    assert [(day.day.day, day.attempts) for day in days] == [(6, 1), (5, 3), (4, 1)]
    assert "django_datetime_cast" not in queries[0]["sql"]  # of Django's own, in Python, for each row


def test_without_agents_nothing_was_used() -> None:
    assert usage_by_day(datetime(2026, 5, 4, tzinfo=UTC)) == []
