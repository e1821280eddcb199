"""Each commit of an engine fails once, or is its last act: the worker still ends right, nothing is done twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import pytest
from django.db import OperationalError, connections

from tests.support import make
from tests.support.driving import attempts, leftovers, now, outcomes
from workers import driving
from workers.models import Event, Worker
from workers.models.worker import IS_FINAL
from workers.states import WorkerStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher")]


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
def every_commit(number: int, instead: Callable[[Callable[[], None]], None]) -> Iterator[list[int]]:
    """Within: commit `number` of this process is replaced; gives how many there were so far."""
    real = type(connections["default"])._commit
    count = [0]

    def commit(self: object) -> None:
        count[0] += 1
        if count[0] == number:
            instead(lambda: real(self))
        else:
            real(self)

    with mock.patch.object(type(connections["default"]), "_commit", commit):
        yield count


def accepted(directory: Path) -> Worker:
    """A worker whose life holds every kind of commit: a failed attempt, a skipped chunk, a review, output."""
    directory.mkdir()
    return make.worker(
        {"run": "echo one >> log", "review": {"command": "true"}},
        {"run": "echo two >> log; false"},
        {"run": "echo never >> log", "depends_on": ["c2"]},
        {"run": "echo four >> log; echo done"},
        project=make.project(directory),
        max_attempts=2,
        on_failure="continue",
    )


def drive_to_the_end(worker: Worker) -> None:
    """Drive it, and take it up again when it was let go, as the node's caretaker does."""
    for _ in range(4):
        found = Worker.objects.exclude(IS_FINAL).filter(pk=worker.pk).first()
        if found is None:
            return
        with suppress(Killed):
            (driving.run if found.status == WorkerStatus.IDLE else driving.adopt)(found.pk, found.epoch)


def check(worker: Worker, directory: Path) -> None:
    worker = now(worker)
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, "chunks_failed")
    assert outcomes(worker) == ["passed", "failed", "skipped", "passed"]
    assert (worker.passed, worker.failed, worker.skipped, worker.rescues) == (2, 1, 1, 0)
    assert [attempt[:3] for attempt in attempts(worker)] == [
        (1, 1, "passed"),
        (2, 1, "failed"),
        (2, 2, "failed"),
        (4, 1, "passed"),
    ]
    assert (directory / "log").read_text().split() == ["one", "two", "two", "four"]
    assert Event.objects.filter(worker_id=worker.pk, kind="worker_failed").count() == 1
    assert leftovers(worker) == []


@pytest.mark.parametrize("instead", [fails, answer_is_lost, dies_before, dies_after])
def test_whichever_commit_goes_wrong_the_worker_ends_right(
    instead: Callable[[Callable[[], None]], None], tmp_path: Path
) -> None:
    number = 0
    while True:
        number += 1
        worker = accepted(tmp_path / str(number))
        with every_commit(number, instead) as count:
            drive_to_the_end(worker)
        check(worker, tmp_path / str(number))
        if count[0] < number:
            break
    assert number > 10, "an engine commits more often than that"
