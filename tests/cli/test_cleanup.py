"""`specyard workers cleanup`: what it lists, when it asks, and what it leaves alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_app.models import WorkerQueue
from tests.cli.support import Specyard
from tests.support import make
from tests.support.driving import aged, now
from tests.support.repository import commit, git, repository
from workers.models import Worker

NODE = "test-node"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "d"
    (place / "workspaces").mkdir(parents=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


@pytest.fixture
def yard(specyard: Specyard, data: Path) -> Specyard:
    """The commands on a data directory of their own."""
    return Specyard({**specyard.environment, "SPECYARD_DATA_DIR": str(data)})


def stopped(data: Path, source: Path, *, work: bool) -> Worker:
    """A worker that has ended, with a run directory and a worktree, in which it has worked or not."""
    worker = make.worker(project=make.project(source, isolation="worktree"))
    place, branch = data / "workspaces" / worker.folder, f"spec/job-{worker.pk}"
    git(source, "worktree", "add", "--quiet", "-b", branch, str(place))
    aged(worker, workspace=str(place), branch=branch)
    now(worker).stopped("mira")
    run = data / "runs" / f"{worker.folder}-1"
    run.mkdir(parents=True)
    if work:
        commit(place, b="work\n")
    return now(worker)


@pytest.fixture
def idle(data: Path, source: Path, transactional_db: None) -> Worker:
    """One that has changed nothing."""
    return stopped(data, source, work=False)


@pytest.fixture
def busy(data: Path, source: Path, transactional_db: None) -> Worker:
    """One whose work is in no other branch."""
    return stopped(data, source, work=True)


def run_of(worker: Worker) -> Path:
    return Path(worker.workspace).parents[1] / "runs" / f"{worker.folder}-1"


def test_nobody_to_ask_is_no_leave(yard: Specyard, idle: Worker) -> None:
    for words in ([], ["--all"], ["--json"]):
        refused = yard("workers", "cleanup", *words)
        assert refused.code == 2
        assert "--force" in refused.err
    assert Path(idle.workspace).exists()
    assert run_of(idle).exists()


def test_what_is_dead_is_listed_with_sizes(yard: Specyard, idle: Worker, busy: Worker) -> None:
    done = yard.good("workers", "cleanup", "--dry-run")
    assert str(run_of(idle)) in done.out
    assert idle.workspace in done.out
    assert busy.workspace not in done.out
    assert "3 things" in done.out
    assert f"Only what is on this machine, the node {NODE}." in done.err
    assert f"1 workspace with unmerged work (of worker {busy.pk})" in done.err
    document = yard.good("workers", "cleanup", "--dry-run", "--json").document
    assert (document["node"], document["dry_run"], len(document["items"])) == (NODE, True, 3)
    assert document["bytes"] == sum(item["bytes"] for item in document["items"]) > 0
    (kept,) = document["kept"]
    assert kept["worker"] == busy.pk
    assert kept["loses"][0].startswith("commit ")
    assert run_of(idle).exists()


def test_without_all_work_stays(yard: Specyard, idle: Worker, busy: Worker) -> None:
    done = yard.good("workers", "cleanup", "--force")
    assert "Removed 3 things" in done.out
    assert not Path(idle.workspace).exists()
    assert not run_of(busy).exists()
    assert (Path(busy.workspace) / "b.txt").exists()
    assert yard.good("workers", "cleanup", "--force").out == "Nothing is dead.\n"


def test_with_all_and_force_work_goes_and_is_told(yard: Specyard, busy: Worker) -> None:
    document = yard.good("workers", "cleanup", "--all", "--force", "--json").document
    (workspace,) = [item for item in document["items"] if item["kind"] == "workspace"]
    assert workspace["loses"][0].startswith("commit ")
    assert workspace["left"] == ""
    assert not Path(busy.workspace).exists()


def test_what_a_queue_entry_continues_stays(yard: Specyard, idle: Worker) -> None:
    assert idle.spec
    WorkerQueue.objects.create(spec=idle.spec, rank="a0", continues=idle)
    assert yard.good("workers", "cleanup", "--all", "--force").out == "Nothing is dead.\n"
    assert run_of(idle).exists()


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_a_person_is_asked(yard: Specyard, idle: Worker, answer: str, code: int) -> None:
    with yard.on_terminal("workers", "cleanup", columns=100) as terminal:
        terminal.shows("Remove them? [y/N]")
        assert run_of(idle).exists()
        terminal.types(f"{answer}\n")
        assert terminal.ends() == code
    assert run_of(idle).exists() == bool(code)
    assert ("Nothing was removed." in terminal.text) == bool(code)


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("y", 1), ("", 1)])
def test_work_that_would_be_lost_needs_the_whole_word(yard: Specyard, busy: Worker, answer: str, code: int) -> None:
    with yard.on_terminal("workers", "cleanup", "--all", columns=100) as terminal:
        terminal.shows(f"Worker {busy.pk} has work that would be lost:")
        terminal.shows("commit ")
        terminal.shows('type "yes"')
        terminal.types(f"{answer}\n")
        assert terminal.ends() == code
    assert Path(busy.workspace).exists() == bool(code)


def test_an_interruption_removes_nothing(yard: Specyard, idle: Worker) -> None:
    with yard.on_terminal("workers", "cleanup") as terminal:
        terminal.shows("[y/N]: ")
        assert terminal.interrupted() == 130
    assert run_of(idle).exists()


def test_what_cannot_be_removed_is_told(yard: Specyard, idle: Worker, source: Path) -> None:
    lock = source / ".git" / "refs" / "heads" / f"{idle.branch}.lock"
    lock.touch()
    done = yard("workers", "cleanup", "--force")
    assert done.code == 1
    assert f"{idle.workspace} is still there" in done.err
