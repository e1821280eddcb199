"""Each commit of an engine fails once, or is its last act: the worker still ends right, nothing is done twice."""

from pathlib import Path

import pytest

from tests.support import make
from tests.support.commits import WAYS, Instead, drive_to_the_end, every_commit
from tests.support.driving import attempts, leftovers, now, outcomes
from workers.models import Event, Worker
from workers.states import WorkerStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher")]


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


@pytest.mark.parametrize("instead", WAYS)
def test_whichever_commit_goes_wrong_the_worker_ends_right(instead: Instead, tmp_path: Path) -> None:
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
