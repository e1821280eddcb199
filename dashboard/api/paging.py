"""Lists, page by page: each page names where the next one begins, so that nothing is counted and nothing is skipped."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from queue_app.errors import BadValue
from specs.text import is_storable

T = TypeVar("T")
M = TypeVar("M", bound=Model)
MOST, USUAL = 200, 50  # items of one page
LARGEST = 2**63 - 1  # number of a row
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
NOT_A_CURSOR = "after: is not the `next` of a page of this list."


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("holds a NUL character or half of a surrogate pair")
    return text


def _written_out(value: Any) -> Any:
    """Not seconds since 1970, which pydantic would take for a time as well."""
    if isinstance(value, datetime) or (isinstance(value, str) and "-" in value[1:]):
        return value
    raise ValueError("must be a time after ISO 8601, such as 2026-03-01T18:00:00Z")


def _within_reason(moment: datetime) -> datetime:
    """In UTC, which is meant where no zone is given."""
    try:
        found = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        found = None
    if found is None or not EARLIEST <= found < LATEST:
        raise ValueError(f"must be between {EARLIEST:%Y} and {LATEST:%Y}")
    return found


Words = Annotated[str, Field(max_length=200), AfterValidator(_storable)]
Moment = Annotated[datetime, Field(strict=False), BeforeValidator(_written_out), AfterValidator(_within_reason)]
Number = Annotated[int, Field(ge=1, le=LARGEST)]


class Body(Schema):
    """What a request may hold, and nothing else; types are taken literally."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Paging(Schema):
    """Which page of a list."""

    limit: int = Field(USUAL, ge=1, le=MOST, description="How many items at most.")
    after: str = Field("", max_length=600, description="The `next` of the page before; the first page without.")


class Page(Schema, Generic[T]):
    """One page of a list."""

    items: list[T]
    next: str | None = Field(description="Give it as `after` to get the next page; null on the last one.")


def by_number(rows: QuerySet[M], paging: Paging) -> tuple[Sequence[M], str | None]:
    """A page of rows in the order of their numbers. Raises BadValue for what is no cursor."""
    after = paging.after
    if after and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise BadValue(NOT_A_CURSOR)
    found = list((rows.filter(pk__gt=int(after)) if after else rows).order_by("pk")[: paging.limit + 1])
    page = found[: paging.limit]
    return page, str(page[-1].pk) if len(found) > len(page) else None


def page(items: list[Any], following: str | None) -> dict[str, Any]:
    """As the API answers it."""
    return {"items": items, "next": following}
