"""Commits that go wrong: the database refuses, the answer is lost, the process is killed before or after."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from unittest import mock

from django.db import OperationalError, connections

from workers import driving
from workers.models import Worker
from workers.models.worker import IS_FINAL
from workers.states import WorkerStatus

Instead = Callable[[Callable[[], None]], None]


def fails(commit: Callable[[], None]) -> None:
    """The database refuses, or its connection breaks, before the commit."""
    break_connection()
    raise OperationalError("the commit is made to fail")


def answer_is_lost(commit: Callable[[], None]) -> None:
    """It is committed, but the connection breaks before the answer is here."""
    commit()
    break_connection()
    raise OperationalError("the answer of the commit is made to get lost")


class Killed(BaseException):
    """The process of the engine has ended, without a chance to clean up."""


def dies_before(commit: Callable[[], None]) -> None:
    """The process is killed right before the commit; the database rolls back."""
    connections["default"].connection.rollback()
    raise Killed


def dies_after(commit: Callable[[], None]) -> None:
    """The process is killed right after the commit."""
    commit()
    raise Killed


def break_connection() -> None:
    """Leave a connection that nobody can use any more, where it is one to a server."""
    if connections["default"].vendor == "postgresql":
        connections["default"].connection.close()


@contextmanager
def every_commit(number: int, instead: Instead) -> Iterator[list[int]]:
    """Within: commit `number` of this thread is replaced; gives how many there were so far."""
    real = type(connections["default"])._commit
    count = [0]
    mine = threading.get_ident()

    def commit(self: object) -> None:
        count[0] += threading.get_ident() == mine
        if count[0] == number and threading.get_ident() == mine:
            instead(lambda: real(self))
        else:
            real(self)

    with mock.patch.object(type(connections["default"]), "_commit", commit):
        yield count


WAYS = (fails, answer_is_lost, dies_before, dies_after)


def drive_to_the_end(worker: Worker) -> None:
    """Drive it, and take it up again when it was let go, as the node's caretaker does."""
    for _ in range(4):
        found = Worker.objects.exclude(IS_FINAL).filter(pk=worker.pk).first()
        if found is None:
            return
        with suppress(Killed):
            (driving.run if found.status == WorkerStatus.IDLE else driving.adopt)(found.pk, found.epoch)
