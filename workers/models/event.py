"""The outbox, and the one transaction helper through which everything is changed."""

import functools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, ParamSpec, TypeVar

from asgiref.local import Local
from django.db import InterfaceError, OperationalError, connection, models, transaction
from django.utils import timezone

from workers import publisher
from workers.states import EventKind

logger = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

SQLITE_ERROR = 1  # `sqlite3.SQLITE_ERROR`, which is not loaded for PostgreSQL

# SQLite has one writer. Threads of one process queue here, in order, instead of in SQLite's sleeping busy handler.
_sqlite_turn = threading.RLock()
_current = Local()
_patience: ContextVar[float] = ContextVar("unit_of_work_patience", default=5.0)


class Event(models.Model):
    """One line of the outbox: something that was committed, numbered without gaps."""

    seq = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=30, choices=EventKind.choices)
    worker_id = models.BigIntegerField(null=True)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ("seq",)
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=tuple(EventKind.values)), name="event_kind_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind}"


class EventCounter(models.Model):
    """The one row that numbers events; whoever has raised it holds its lock until the commit."""

    seq = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="event_counter_is_single")]

    def __str__(self) -> str:
        return str(self.seq)


def latest_seq() -> int:
    """The number of the newest committed event, 0 when there is none."""
    return EventCounter.objects.filter(pk=1).values_list("seq", flat=True).first() or 0


class _Unit:
    """The events of the transaction under way in this thread, and the bells to ring after it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.bells: list[Callable[[], object]] = []
        self.before: list[tuple[models.Model, str, Any]] = []

    def roll_back(self) -> None:
        """Give the rows in memory the values that they had before."""
        for row, name, value in reversed(self.before):
            setattr(row, name, value)


def emit(kind: EventKind, worker_id: int | None = None, **data: Any) -> None:
    """Add an event to the unit of work under way. Raises RuntimeError outside of one."""
    unit = getattr(_current, "unit", None)
    if unit is None:
        raise RuntimeError("emit() outside of a unit of work")
    unit.events.append(Event(kind=kind, worker_id=worker_id, data=data))


def after_commit(bell: Callable[[], object]) -> None:
    """Ring the bell once the unit of work under way is committed, outside of any transaction and lock."""
    unit = getattr(_current, "unit", None)
    if unit is None:
        raise RuntimeError("after_commit() outside of a unit of work")
    unit.bells.append(bell)


def assign(row: models.Model, changes: dict[str, Any]) -> None:
    """Set attributes as the unit of work under way has just written them.

    They are taken back with the transaction: a second try that counts up from them must begin where the first did.
    """
    unit = getattr(_current, "unit", None)
    if unit is None:
        raise RuntimeError("assign() outside of a unit of work")
    for name, value in changes.items():
        unit.before.append((row, name, getattr(row, name)))
        setattr(row, name, value)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Within: units of work try again for so long after a lost connection, a lock or a serialisation error."""
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


def unit_of_work(function: Callable[P, R]) -> Callable[P, R]:
    """Run the function in one transaction whose last act is to number and write its events.

    Inside another unit it joins that one. The outermost unit is tried again, with jitter, on errors of
    serialisation, locks and lost connections, perhaps after a commit whose answer was lost. The function must
    therefore read what it needs itself, or `assign` what it changes in memory, and write the same once more.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if getattr(_current, "unit", None) is not None:
            return function(*args, **kwargs)
        call = partial(_run_unit, function, *args, **kwargs)
        return call() if connection.in_atomic_block else retrying(call)

    return wrapper


def retrying(call: Callable[[], R]) -> R:
    """Call until it succeeds or the patience is used up; drops a broken connection before each new try."""
    deadline = time.monotonic() + _patience.get()
    pause = 0.01
    while True:
        try:
            return call()
        except (OperationalError, InterfaceError) as error:
            drop_broken_connection()
            if time.monotonic() + pause > deadline or not _may_pass(error):
                raise
            logger.info("The database did not answer, trying again: %s", error)
        time.sleep(pause * (0.5 + random.random()))
        pause = min(pause * 2, 1.0)


def _may_pass(error: Exception) -> bool:
    """Whether trying again can help: not where SQLite says that the statement or the tables are wrong.

    https://www.sqlite.org/rescode.html#error
    """
    return getattr(error.__cause__, "sqlite_errorcode", None) != SQLITE_ERROR


def drop_broken_connection() -> None:
    """Close this thread's connection if the server has gone, so that the next query opens a new one."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
        if connection.errors_occurred or not connection.is_usable():
            connection.close()


def _run_unit(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    unit = _Unit()
    with _turn():
        _current.unit = unit
        try:
            with transaction.atomic():
                result = function(*args, **kwargs)
                _write(unit)
        except BaseException:
            unit.roll_back()
            raise
        finally:
            _current.unit = None
    for bell in unit.bells:
        transaction.on_commit(partial(publisher.ring, bell))  # at once, unless a caller holds a transaction
    return result


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for this thread's turn to write; not inside a caller's transaction, which holds SQLite's own lock."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with _sqlite_turn:
        yield


def _write(unit: _Unit) -> None:
    """Number the events without gaps, write them, and have the bell rung after the commit."""
    events = unit.events
    if not events:
        return
    last = _advance(len(events))
    now = timezone.now()
    for seq, event in enumerate(events, start=last - len(events) + 1):
        event.seq, event.at = seq, now
    Event.objects.bulk_create(events)
    unit.bells.append(partial(publisher.events_changed, last))  # after those that let work begin


def _advance(count: int) -> int:
    """Raise the counter by `count` in one statement and return its new value."""
    table = EventCounter._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (id, seq) VALUES (1, %s) "
            f"ON CONFLICT (id) DO UPDATE SET seq = {table}.seq + excluded.seq RETURNING seq",
            [count],
        )
        (last,) = cursor.fetchone()
    return int(last)
