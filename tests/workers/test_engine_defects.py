"""What no worker should meet: launchers that are gone or refuse, runners that refuse, defects of our own."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError

from tests.support import make, processes
from tests.support.driving import Background, attempts, driven, leftovers, now, runs_of
from tests.support.wait import until
from workers import driving, engine, launch
from workers.models import Attempt, Worker
from workers.states import Reason, WorkerStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher")]


def accepted(*commands: object, directory: Path, **fields: object) -> Worker:
    return make.worker(*commands, project=make.project(directory), **fields)  # type: ignore[arg-type]


@contextmanager
def no_launcher() -> Iterator[None]:
    """Within: nobody finds the launcher."""
    path = settings.SPECYARD.launcher_socket
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        yield
    finally:
        if away.exists():
            away.rename(path)


# The launcher


def test_without_a_launcher_a_worker_is_let_go_and_goes_on_when_there_is_one(tmp_path: Path) -> None:
    worker = accepted("echo once >> log", directory=tmp_path)
    with no_launcher():
        assert driven(worker).status == WorkerStatus.RUNNING
        assert driven(now(worker), driving.adopt).status == WorkerStatus.RUNNING
    assert driving.owned.all() == {}
    assert attempts(worker) == []
    ended = driven(now(worker), driving.adopt)
    assert (ended.status, ended.rescues) == (WorkerStatus.COMPLETED, 0)
    assert processes.lines(tmp_path / "log") == ["once"]


def test_a_worker_does_not_end_before_the_launcher_says_that_nothing_is_left(tmp_path: Path) -> None:
    path = settings.SPECYARD.launcher_socket
    worker = accepted(f"echo once >> log; mv {path} {path}.away", directory=tmp_path)
    held = driven(worker)
    assert (held.status, held.passed, held.slot is None) == (WorkerStatus.RUNNING, 1, False)
    Path(f"{path}.away").rename(path)
    ended = driven(held, driving.adopt)
    assert ended.status == WorkerStatus.COMPLETED
    assert processes.lines(tmp_path / "log") == ["once"]
    assert leftovers(worker) == []


def test_a_launcher_that_refuses_to_start_a_runner_ends_the_worker_with_its_reason(tmp_path: Path) -> None:
    worker = accepted("true", directory=tmp_path)
    path = launch.Run(worker.folder, 1).socket
    with socket.socket(socket.AF_UNIX) as somebody:
        somebody.bind(str(path))
        somebody.listen()
        ended = driven(worker)
    assert (ended.status, ended.reason) == (WorkerStatus.FAILED, Reason.LAUNCH_FAILED)
    assert ended.error == f"The runner could not be started: somebody listens on {path} already"
    assert leftovers(worker) == []


# The runner


def test_what_the_runner_refuses_ends_the_worker_with_its_reason(tmp_path: Path) -> None:
    project = make.project(tmp_path, environment={"A=B": "no name"})
    worker = driven(make.worker("true", project=project))
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.INTERNAL_ERROR)
    assert worker.error.startswith("The runner refused a request: ")
    assert "must be a variable's name" in worker.error
    assert attempts(worker) == [(1, 1, "interrupted", "internal_error")]
    assert leftovers(worker) == []


# Our own defects


def defect(*arguments: Any, **fields: Any) -> Any:
    raise ZeroDivisionError("a defect made for this test")


def test_a_defect_while_a_chunk_runs_leaves_nothing_of_its_tree(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"sleep 8{tmp_path.stat().st_ino}"
    worker = accepted(f"env -i setsid sh -c '{mark} & {mark}' & {mark}", directory=tmp_path)
    done = background(worker)
    until(lambda: len(processes.marked(mark)) >= 3, what="the tree runs")
    monkeypatch.setattr(engine.Engine, "listen", defect)
    done.result(20)
    assert (now(worker).status, now(worker).reason) == (WorkerStatus.FAILED, Reason.INTERNAL_ERROR)
    assert attempts(worker) == [(1, 1, "interrupted", "internal_error")]
    assert not processes.marked(mark)
    assert leftovers(worker) == []


@pytest.mark.parametrize(
    "owner, name",
    [
        (engine.Engine, "find_runner"),
        (engine.Engine, "prepare"),
        (engine.Engine, "open_attempt"),
        (engine.Engine, "surroundings"),
        (engine.Engine, "take_in"),
        (engine.Engine, "settle"),
        (engine.Engine, "see_out"),
        (engine.Engine, "conclude"),
        (Attempt, "begin_review"),
        (Attempt, "output"),
        (engine.Engine, "end_runner"),
    ],
)
def test_a_defect_anywhere_ends_the_worker_and_leaves_nothing(
    owner: type, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"sleep 8{tmp_path.stat().st_ino}"
    worker = accepted(f"{mark} & echo something", directory=tmp_path, review="true")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, defect)
        ended = driven(worker)
    assert (ended.status, ended.reason) == (WorkerStatus.FAILED, Reason.INTERNAL_ERROR)
    assert ended.error == "A defect in Specyard ended this worker. The node's log says more."
    assert not Attempt.objects.filter(status="running").exists()
    assert runs_of(worker) == []
    assert not processes.marked(mark)
    assert leftovers(worker) == []


def test_an_error_of_the_database_that_would_come_again_is_a_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **fields: Any) -> None:
        raise IntegrityError("a constraint refuses")

    worker = accepted("true", directory=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(engine.Engine, "settle", refuse)
        ended = driven(worker)
    assert (ended.status, ended.reason) == (WorkerStatus.FAILED, Reason.INTERNAL_ERROR)
    assert leftovers(worker) == []


@pytest.mark.parametrize("runner_dies", [False, True])
def test_a_damaged_journal_leaves_nothing_running(background: Background, tmp_path: Path, runner_dies: bool) -> None:
    mark = f"sleep 8{tmp_path.stat().st_ino}"
    worker = accepted(mark, directory=tmp_path)
    done = background(worker)
    until(lambda: processes.marked(mark), what="it runs")
    run = launch.Run(worker.folder, 1)
    with (run.directory / "journal.ndjson").open("r+b") as journal:
        journal.write(b"\x00not an entry")
    if runner_dies:
        os.kill(launch.ping()["runs"][run.id]["pid"], signal.SIGKILL)
    else:
        worker.request_stop("mira")
    done.result(20)
    end = (WorkerStatus.FAILED, Reason.INTERNAL_ERROR) if runner_dies else (WorkerStatus.STOPPED, Reason.STOPPED)
    assert (now(worker).status, now(worker).reason) == end
    assert not processes.marked(mark)
    assert leftovers(worker) == []
