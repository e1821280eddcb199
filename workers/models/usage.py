"""What agents have used, for pages that look back."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate

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
    """Per profile and day (of the current time zone) on which attempts began, the last day first. One query."""
    begun = Attempt.objects.filter(profile__gt="", started_at__gte=since)
    if until is not None:
        begun = begun.filter(started_at__lt=until)
    by_day = begun.annotate(day=TruncDate("started_at")).values("day", "profile")
    sums: dict[str, Any] = {f"sum_{name}": Sum(name) for name in COUNTED}
    rows = by_day.annotate(attempts=Count("pk"), **sums).order_by("-day", "profile")
    return [Usage(*row) for row in rows.values_list("day", "profile", "attempts", *sums)]
