"""What ended workers leave behind goes; what somebody uses, or what is nowhere else, does not go unasked."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import make
from tests.support.driving import aged, now
from tests.support.repository import commit, git, repository
from workers import cleaning
from workers.models import Attempt, Landing, Worker, accept
from workers.runner.process import identity
from workers.states import LandingKind, WorkerStatus

pytestmark = pytest.mark.django_db(transaction=True)
NODE = "test-node"


@pytest.fixture
def data(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """A data directory in which nobody else has left anything."""
    place = tmp_path / "d"
    settings.SPECYARD = settings.SPECYARD.model_copy(update={"data_dir": place})
    settings.SPECYARD.runtime_dir.mkdir(parents=True)
    (place / "workspaces").mkdir(parents=True)
    yield place
    shutil.rmtree(settings.SPECYARD.runtime_dir)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


def ended(worker: Worker, **fields: Any) -> Worker:
    """The worker after it was stopped."""
    aged(worker, **fields)
    now(worker).stopped("mira")
    return now(worker)


def with_worktree(data: Path, source: Path, *, stopped: bool = True) -> Worker:
    """A worker with a git worktree in which nothing has been done."""
    worker = make.worker(project=make.project(source, isolation="worktree"))
    place, branch = data / "workspaces" / worker.folder, f"spec/job-{worker.pk}"
    git(source, "worktree", "add", "--quiet", "-b", branch, str(place))
    facts = {"workspace": str(place), "branch": branch, "base_commit": git(source, "rev-parse", "main")}
    return ended(worker, **facts) if stopped else aged(worker, **facts)


def with_copy(data: Path, *, has_worked: bool) -> Worker:
    """A worker with a directory that is no worktree."""
    worker = make.worker()
    place = data / "workspaces" / worker.folder
    place.mkdir()
    (place / "a.txt").write_text("work\n")
    aged(worker, workspace=str(place))
    if has_worked:
        claimed = Worker.claim(worker.pk, worker.epoch)
        assert claimed
        Attempt.open(claimed, claimed.chunks.get())
    return ended(worker)


def run_directory(data: Path, worker: Worker, incarnation: int = 1) -> Path:
    path = data / "runs" / f"{worker.folder}-{incarnation}"
    path.mkdir(parents=True)
    (path / "journal.ndjson").write_text("x" * 5000)
    return path


def agent_data(data: Path, worker: Worker) -> Path:
    path = data / "agents" / worker.folder
    path.mkdir(parents=True)
    return path


def paths(kept: set[int] | None = None) -> dict[Path, tuple[str, ...]]:
    """What is dead, each with what would be lost."""
    return {dead.path: dead.loses for dead in cleaning.survey(NODE, kept or set())}


def removed(kept: set[int] | None = None) -> list[str]:
    """Remove all that is dead; what stays is told with the reason."""
    found = [cleaning.remove(dead, lambda: kept or set(), "mira") for dead in cleaning.survey(NODE, set())]
    return [why for why in found if why]


def test_runs_and_agents_of_ended_workers_are_dead(data: Path) -> None:
    worker = ended(make.worker())
    run, agents = run_directory(data, worker), agent_data(data, worker)
    assert paths() == {run: (), agents: ()}
    (found,) = [dead for dead in cleaning.survey(NODE, set()) if dead.kind == cleaning.RUN]
    assert (found.worker, found.bytes >= 5000) == (worker.pk, True)
    assert removed() == []
    assert not run.exists()
    assert not agents.exists()
    assert list((data / "removing").iterdir()) == []


def test_nothing_of_an_active_worker_is_dead(data: Path, source: Path) -> None:
    worker = with_worktree(data, source, stopped=False)
    run_directory(data, worker)
    agent_data(data, worker)
    listening(worker).close()
    assert paths() == {}


def test_nothing_of_a_worker_that_an_entry_continues_is_dead(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    run_directory(data, worker)
    agent_data(data, worker)
    assert paths({worker.pk}) == {}
    assert len(paths()) == 3


def test_what_an_entry_continues_meanwhile_stays(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    run = run_directory(data, worker)
    assert removed(kept={worker.pk}) == [cleaning.WANTED, cleaning.WANTED]
    assert run.exists()
    assert Path(worker.workspace).exists()


def test_nothing_of_a_worker_that_an_active_one_continues_is_dead(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    agent_data(data, worker)
    successor = accept(worker.spec, slot=make.free_slot(), node=worker.node, by="mira", continues=worker)
    assert successor.workspace == worker.workspace
    assert paths() == {}
    ended(successor)
    assert Path(worker.workspace) in paths()
    (dead,) = [dead for dead in cleaning.survey(NODE, set()) if dead.kind == cleaning.WORKSPACE]
    assert dead.worker == successor.pk


def test_a_worker_of_another_node_is_left_alone(data: Path) -> None:
    run_directory(data, ended(make.worker()))
    assert cleaning.survey("elsewhere", set()) == []


def test_what_this_database_does_not_know_is_left_alone(data: Path) -> None:
    for name in ("4711-1", "notes", "0-1", "\uff19-1"):
        (data / "runs" / name).mkdir(parents=True)
    (data / "workspaces" / "4711").mkdir()
    assert paths() == {}


def test_a_run_that_is_alive_is_left_alone_with_all_of_its_worker(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    agent_data(data, worker)
    run = run_directory(data, worker)
    (run / "runner.json").write_text(f'{{"pid": {os.getpid()}, "identity": "{identity(os.getpid())}"}}')
    assert paths() == {}


def test_a_worktree_in_which_nothing_was_done_goes_with_its_branch(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    assert paths() == {Path(worker.workspace): ()}
    assert removed() == []
    assert not Path(worker.workspace).exists()
    assert git(source, "branch", "--list", "spec/*") == ""
    (landing,) = Landing.objects.all()
    assert (landing.kind, landing.asked_by, landing.error) == (LandingKind.DISCARD, "mira", "")


def test_a_merged_worktree_goes(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    commit(Path(worker.workspace), b="work\n")
    git(source, "merge", "--quiet", "--no-ff", "--message", "merge", worker.branch)
    assert paths() == {Path(worker.workspace): ()}
    assert removed() == []
    assert (source / "b.txt").exists()


def test_what_would_be_lost_is_told_and_goes_only_so(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    place = Path(worker.workspace)
    commit(place, b="work\n")
    (place / "notes.txt").write_text("half done")
    (loses,) = paths().values()
    assert [told.split()[0] for told in loses] == ["commit", "uncommitted"]
    assert loses[1] == "uncommitted notes.txt"
    assert removed() == []
    assert not place.exists()


def test_many_files_are_counted(data: Path, source: Path) -> None:
    place = Path(with_worktree(data, source).workspace)
    for number in range(cleaning.TOLD_AT_ONCE + 3):
        (place / f"{number}.txt").touch()
    (loses,) = paths().values()
    assert len(loses) == cleaning.TOLD_AT_ONCE + 1
    assert loses[-1] == "3 more uncommitted files"


def test_work_that_came_after_the_look_stays(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    (dead,) = cleaning.survey(NODE, set())
    commit(Path(worker.workspace), b="late\n")
    assert cleaning.remove(dead, set, "mira") == cleaning.CHANGED
    assert (Path(worker.workspace) / "b.txt").exists()


def test_a_worktree_whose_repository_is_gone_may_hold_work(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    source.rename(source.with_name("elsewhere"))
    ((told,),) = paths().values()
    assert told.startswith(f"{cleaning.ONLY_HERE}, for all that git can tell: ")
    assert removed() == []
    assert not Path(worker.workspace).exists()


def test_a_worktree_that_is_about_to_be_discarded_is_left_to_that(data: Path, source: Path) -> None:
    Landing.ask(with_worktree(data, source), LandingKind.DISCARD, "mira")
    assert paths() == {}


def test_a_copy_is_taken_for_work_once_something_was_tried_in_it(data: Path) -> None:
    tried, untouched = with_copy(data, has_worked=True), with_copy(data, has_worked=False)
    assert paths() == {Path(tried.workspace): (cleaning.ONLY_HERE,), Path(untouched.workspace): ()}
    assert removed() == []
    assert list((data / "workspaces").iterdir()) == []


def test_whoever_continues_a_worker_whose_copy_is_gone_begins_anew(data: Path) -> None:
    worker = with_copy(data, has_worked=True)
    assert removed() == []
    successor = accept(worker.spec, slot=make.free_slot(), node=worker.node, by="mira", continues=worker)
    assert (successor.workspace, successor.prepared_at) == ("", None)


def test_a_workspace_that_was_never_ready_goes(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    aged(worker, workspace="", branch="", base_commit="")
    place = data / "workspaces" / worker.folder
    assert paths() == {place: ()}
    assert removed() == []
    assert not place.exists()
    assert git(source, "branch", "--list", "spec/*") == ""


def listening(worker: Worker) -> socket.socket:
    from workers.launch import Run

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(Run(worker.folder, 1).socket))
    listener.listen()
    return listener


def test_a_copy_that_was_half_made_goes(data: Path) -> None:
    worker = make.worker()
    place = data / "workspaces" / f"{worker.folder}.part"
    place.mkdir()
    assert paths() == {}  # it may still be made
    ended(worker)
    assert paths() == {place: ()}
    assert removed() == []
    assert not place.exists()


def test_a_socket_is_stale_when_nobody_listens(data: Path) -> None:
    worker = ended(make.worker())
    with listening(worker) as listener:
        assert paths() == {}
        place = Path(listener.getsockname())
    assert paths() == {place: ()}
    assert removed() == []
    assert not place.exists()


def test_a_directory_that_may_not_be_written_goes_too(data: Path) -> None:
    place = agent_data(data, ended(make.worker()))
    (place / "cache").mkdir()
    (place / "cache" / "module").touch()
    (place / "cache").chmod(0o500)
    place.chmod(0o500)
    assert removed() == []
    assert not place.exists()


def test_what_somebody_set_aside_and_did_not_finish_goes(data: Path) -> None:
    (data / "removing" / "run-12-1-abc").mkdir(parents=True)
    assert [dead.kind for dead in cleaning.survey(NODE, set())] == [cleaning.LEFTOVER]
    assert removed() == []
    assert list((data / "removing").iterdir()) == []


def test_a_link_is_not_followed(data: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a.txt").touch()
    place = agent_data(data, ended(make.worker()))
    (place / "link").symlink_to(tmp_path / "precious")
    assert removed() == []
    assert (tmp_path / "precious" / "a.txt").exists()


def test_the_worker_that_ended_stays_in_the_history(data: Path, source: Path) -> None:
    worker = with_worktree(data, source)
    removed()
    assert now(worker).status == WorkerStatus.STOPPED
