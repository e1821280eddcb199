"""What agents have used, for pages that look back."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Case, Count, IntegerField, Sum, Value, When
from django.utils import timezone

from workers.models.attempt import Attempt
from workers.models.counted import COUNTED


@dataclass(frozen=True)
class Usage:
    """What one profile's agents have used on one day; the figures as in `COUNTED`, `cost` in dollars."""

    day: date
    profile: str
    attempts: int
    tokens_in: int
    tokens_out: int
    cost: Decimal
    cached_read: int
    cached_written: int


def usage_by_day(since: datetime, until: datetime | None = None) -> list[Usage]:
    """Per profile and day (UTC) on which attempts began, the last day first. One query.

    Days are told apart by where they begin: the database compares that by itself, while SQLite would call Python to
    cut the date off each row.
    """
    begun = Attempt.objects.filter(profile__gt="", started_at__gte=since)
    if until is not None:
        begun = begun.filter(started_at__lt=until)
    first = since.astimezone(UTC).date()
    later = ((until or timezone.now()).astimezone(UTC).date() - first).days
    starts = [(day, datetime.combine(first + timedelta(days=day), time(), UTC)) for day in range(later, 0, -1)]
    day = Case(
        *(When(started_at__gte=start, then=Value(number)) for number, start in starts),
        default=Value(0),
        output_field=IntegerField(),
    )
    sums: dict[str, Any] = {f"sum_{name}": Sum(name) for name in COUNTED}
    by_day = begun.annotate(day=day).values("day", "profile")
    rows = by_day.annotate(attempts=Count("pk"), **sums).order_by("-day", "profile")
    found = rows.values_list("day", "profile", "attempts", *sums)
    return [Usage(first + timedelta(days=number), *row) for number, *row in found]
