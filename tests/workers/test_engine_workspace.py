"""Where a worker works: a copy with its setup, made once and inherited; the project's own directory; a missing one."""

from pathlib import Path

import pytest
from django.conf import settings
from pytest_django import Settings

from dashboard.config.sections import Execution
from specs.models import Project
from tests.support import make
from tests.support.driving import attempts, driven, leftovers, outcomes
from workers.models import Attempt, Worker, accept, log_path
from workers.states import Reason, WorkerStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher")]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A project's directory with something in it."""
    directory = tmp_path / "project"
    (directory / "deep").mkdir(parents=True)
    (directory / "deep" / "file").write_text("from the project")
    (directory / "link").symlink_to("deep/file")
    (directory / "run.sh").write_text("#!/bin/sh\ncat deep/file > result\n")
    (directory / "run.sh").chmod(0o755)
    return directory


def copied(source: Path, **fields: object) -> Project:
    return make.project(source, isolation="copy", **fields)


def continued(worker: Worker) -> Worker:
    """A new worker that goes on where this one ended."""
    assert worker.spec is not None
    return accept(worker.spec, slot=make.free_slot(), node=worker.node, by="mira", continues=worker)


def test_a_copy_is_worked_in_and_the_project_stays_as_it_was(source: Path) -> None:
    before = sorted(path.name for path in source.iterdir())
    worker = driven(make.worker("./run.sh && test -L link && pwd", project=copied(source)))
    assert worker.status == WorkerStatus.COMPLETED
    workspace = Path(worker.workspace)
    assert workspace == settings.SPECYARD.data / "workspaces" / worker.folder
    assert (workspace / "result").read_text() == "from the project"
    assert worker.last_line == str(workspace)
    assert worker.prepared_at is not None
    assert sorted(path.name for path in source.iterdir()) == before
    assert leftovers(worker) == []


def test_two_workers_of_a_project_do_not_share_a_copy(source: Path) -> None:
    project = copied(source)
    first, second = (driven(make.worker("echo mine >> log", project=project)) for _ in range(2))
    assert first.workspace != second.workspace
    assert (Path(second.workspace) / "log").read_text() == "mine\n"


def test_the_setup_runs_in_the_copy_before_the_first_chunk(source: Path) -> None:
    project = copied(source, setup_command="echo $COLOUR > deep/setup; pwd", environment={"COLOUR": "blue"})
    worker = driven(make.worker("cat deep/setup", project=project))
    assert worker.status == WorkerStatus.COMPLETED
    assert worker.last_line == "blue"
    assert log_path(worker, 0).read_text().splitlines()[-1] == worker.workspace
    assert not (source / "deep" / "setup").exists()


def test_a_setup_that_fails_ends_the_worker_before_any_chunk(source: Path) -> None:
    worker = driven(make.worker("true", project=copied(source, setup_command="echo no paint; exit 7")))
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.PREPARATION_FAILED)
    assert worker.error == "The command ended with exit code 7."
    assert outcomes(worker) == ["pending"]
    assert not Attempt.objects.exists()
    assert "no paint" in log_path(worker, 0).read_text()
    assert leftovers(worker) == []


def test_a_project_directory_that_is_gone_ends_the_worker_before_any_chunk(tmp_path: Path) -> None:
    worker = driven(make.worker("true", project=copied(tmp_path / "gone")))
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.PREPARATION_FAILED)
    assert worker.error == f"The project could not be copied: {tmp_path / 'gone'} is not a directory."


def test_in_place_a_missing_directory_fails_the_chunk_with_its_name(tmp_path: Path) -> None:
    worker = driven(make.worker("true", project=make.project(tmp_path / "gone"), max_attempts=1))
    assert attempts(worker) == [(1, 1, "failed", "workspace_missing")]
    assert worker.error == f"Chunk 1: The workspace {tmp_path / 'gone'} is not there."


def test_a_setup_that_takes_longer_than_the_settings_allow_is_ended(source: Path, settings: Settings) -> None:
    short = Execution.model_construct(setup_time_limit=1)
    settings.SPECYARD = settings.SPECYARD.model_copy(update={"execution": short})
    worker = driven(make.worker("true", project=copied(source, setup_command="sleep 60")))
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.PREPARATION_FAILED)
    assert worker.error == "It ran longer than its limit of 1 s."
    assert leftovers(worker) == []


def test_in_place_the_setup_runs_in_the_projects_own_directory(tmp_path: Path) -> None:
    project = make.project(tmp_path, setup_command="echo once >> setup")
    worker = driven(make.worker("cat setup", project=project))
    assert (worker.status, worker.last_line) == (WorkerStatus.COMPLETED, "once")
    assert (tmp_path / "setup").read_text() == "once\n"


def test_a_retry_inherits_the_workspace_and_its_setup_does_not_run_again(source: Path) -> None:
    project = copied(source, setup_command="echo once >> setup")
    first = driven(make.worker("echo one >> log", "test -e ready && cat log", project=project, max_attempts=1))
    assert outcomes(first) == ["passed", "failed"]
    (Path(first.workspace) / "ready").touch()
    second = driven(continued(first))
    assert (second.status, second.workspace) == (WorkerStatus.COMPLETED, first.workspace)
    assert (Path(second.workspace) / "setup").read_text() == "once\n"
    assert (Path(second.workspace) / "log").read_text() == "one\n"
    assert attempts(second) == [(2, 1, "passed", "")]
    assert (second.passed, second.total) == (2, 2)


def test_a_retry_after_a_failed_preparation_prepares_a_workspace_of_its_own(source: Path) -> None:
    project = copied(source, setup_command="test -e ready")
    first = driven(make.worker("true", project=project))
    assert first.reason == Reason.PREPARATION_FAILED
    (source / "ready").touch()
    second = driven(continued(first))
    assert second.status == WorkerStatus.COMPLETED
    assert second.workspace.endswith(f"/{second.folder}")


def test_a_worker_with_nothing_left_to_do_completes(source: Path) -> None:
    first = driven(make.worker("true", project=copied(source)))
    second = driven(continued(first))
    assert (second.status, second.passed) == (WorkerStatus.COMPLETED, 1)
    assert leftovers(second) == []
