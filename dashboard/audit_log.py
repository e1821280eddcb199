"""Reads the audit log: filtered, page by page without counting what lies before, and as a file."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from dashboard.models import AuditEntry, Source
from queue_app.errors import BadValue
from specs.acting import record

PAGE = 50
BATCH = 1000  # rows that an export reads at once
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CURSOR = re.compile(r"(\d{1,17})-(\d{1,17})")
TARGET = re.compile(r"([a-z_]{1,30})(?::(\d{1,17}))?")
COLUMNS = ("at", "actor", "token", "source", "action", "kind", "target_id", "label", "before", "after")
# With what a spreadsheet begins a formula: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last: full-width


@dataclass(frozen=True)
class Filter:
    """Which entries are wanted; "" and None: any."""

    actor: str = ""
    source: str = ""
    action: str = ""
    target: str = ""  # "worker", or "worker:12"
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> "Filter":
        """Raises BadValue, which names the field."""
        texts = {name: given.get(name, "").strip().replace("\0", "")[:200] for name in ("actor", "source", "action")}
        target = given.get("target", "").strip()
        if texts["source"] and texts["source"] not in Source.values:
            raise BadValue(f"source: must be one of {', '.join(Source.values)}.")
        if target and not TARGET.fullmatch(target):
            raise BadValue('target: must be a kind, or a kind and a number, for example "worker" or "worker:12".')
        return cls(**texts, target=target, since=_moment("since", given), until=_moment("until", given))

    def entries(self) -> QuerySet[AuditEntry]:
        """The entries that are wanted, in no order."""
        found = AuditEntry.objects.all()
        for name in ("actor", "source", "action"):
            if value := getattr(self, name):
                found = found.filter(**{name: value})
        if match := TARGET.fullmatch(self.target):
            found = found.filter(kind=match[1], **({"target_id": int(match[2])} if match[2] else {}))
        if self.since:
            found = found.filter(at__gte=self.since)
        return found.filter(at__lt=self.until) if self.until else found

    @property
    def values(self) -> dict[str, str]:
        """What is set, as it stands in an address."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _text(value) for name, value in given.items() if value}

    def __str__(self) -> str:
        return urlencode(self.values)


def _text(value: str | datetime) -> str:
    return value if isinstance(value, str) else value.strftime("%Y-%m-%dT%H:%M:%S.%fZ").replace(".000000Z", "Z")


def _moment(name: str, given: Mapping[str, str]) -> datetime | None:
    text = given.get(name, "").strip()
    if not text:
        return None
    try:
        moment = parse_datetime(text)
        if moment is None and (day := parse_date(text)):
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        moment = None
    if moment is None:
        raise BadValue(f"{name}: give a date, with or without a time, for example 2026-03-01T18:00Z.")
    return moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Page:
    """Some entries, the newest first, and the cursors of the pages around them ("" at an end)."""

    rows: list[AuditEntry]
    newer: str = ""
    older: str = ""


def page(entries: QuerySet[AuditEntry], *, older: str = "", newer: str = "", size: int = PAGE) -> Page:
    """The page behind, or before, a cursor; the newest without. Raises BadValue for what is no cursor."""
    if newer:
        rows = list(entries.filter(_beyond("gt", newer)).order_by("at", "pk")[: size + 1])
        more, rows = len(rows) > size, rows[:size][::-1]
        return Page(rows, cursor(rows[0]) if more else "", cursor(rows[-1]) if rows else "")
    if older:
        entries = entries.filter(_beyond("lt", older))
    rows = list(entries.order_by("-at", "-pk")[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    return Page(rows, cursor(rows[0]) if older and rows else "", cursor(rows[-1]) if more else "")


def cursor(entry: AuditEntry) -> str:
    """Its place in the order: microseconds since 1970 and its number."""
    return f"{(entry.at - EPOCH) // timedelta(microseconds=1)}-{entry.pk}"


def _beyond(side: str, text: str) -> Q:
    match = CURSOR.fullmatch(text)
    try:
        moment = EPOCH + timedelta(microseconds=int(match[1])) if match else None
    except OverflowError:
        moment = None
    if match is None or moment is None:
        raise BadValue("after: is not a cursor of this list.")
    reach = {f"at__{side}e": moment}  # lets the database use its index
    return Q(**reach) & (Q(**{f"at__{side}": moment}) | Q(**{f"pk__{side}": int(match[2])}))


# Exports


def as_csv(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    """The entries as CSV (RFC 4180), the newest first, a batch at a time."""
    yield _line(COLUMNS)
    for rows in _batches(entries):
        yield "".join(_line(map(_cell, _values(row))) for row in rows)


def as_ndjson(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    """The entries as one JSON object a line, the newest first, a batch at a time."""
    for rows in _batches(entries):
        yield "".join(json.dumps(dict(zip(COLUMNS, _values(row), strict=True))) + "\n" for row in rows)


FORMATS: dict[str, tuple[str, Callable[[QuerySet[AuditEntry]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "ndjson": ("application/x-ndjson", as_ndjson),
}


def export(request: HttpRequest, wanted: Filter, form: str) -> StreamingHttpResponse:
    """All entries that the filter lets through as a file, sent while it is read; that is an entry of its own."""
    record("audit.export", after={"format": form, **wanted.values})
    media_type, make = FORMATS[form]
    parts = make(wanted.entries())
    content = _one_by_one(parts) if isinstance(request, ASGIRequest) else parts
    name = f"audit-{timezone.now():%Y%m%d-%H%M%S}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(content, content_type=media_type, headers=headers)


async def _one_by_one(parts: Iterator[str]) -> AsyncIterator[str]:
    """For the event loop, which would otherwise read all of it into memory first."""

    def following() -> str | None:
        return next(parts, None)

    while (part := await sync_to_async(following)()) is not None:
        yield part


def _batches(entries: QuerySet[AuditEntry]) -> Iterator[list[AuditEntry]]:
    after = ""
    while True:
        found = page(entries, older=after, size=BATCH)
        if found.rows:
            yield found.rows
        if not found.older:
            return
        after = found.older


def _values(entry: AuditEntry) -> list[object]:
    values = [getattr(entry, name) for name in COLUMNS]
    return [value.isoformat() if isinstance(value, datetime) else value for value in values]


def _cell(value: object) -> str:
    """As text that no spreadsheet takes for a formula."""
    text = "" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
