"""Workspaces made ahead: what is wanted is made by real runners, taken over by real workers, and never in the way."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from queue_app import dispatch
from queue_app.models import WorkerQueue, Yard
from specs.models import Project
from tests.support import make
from tests.support.driving import Background, Pool, driven, now
from tests.support.repository import commit, git, repository, slow_checkout
from tests.support.wait import until
from workers import ahead, driving, launch
from workers.ahead import Draining, Keeper, places
from workers.errors import RunnerLost
from workers.maintenance import Caretaker
from workers.models import Worker, log_path
from workers.runner.ahead import MAKING, READY
from workers.states import Reason, WorkerStatus
from workers.workspace import Kind, records

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher", "nothing_ahead")]


@pytest.fixture
def nothing_ahead() -> Iterator[None]:
    shutil.rmtree(records(), ignore_errors=True)
    yield
    shutil.rmtree(records(), ignore_errors=True)
    for path in (settings.SPECYARD.data / "workspaces").glob("for-*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


@pytest.fixture
def keeper() -> Keeper:
    return Keeper(threading.Event())


def project(source: Path, **fields: object) -> Project:
    return make.project(source, isolation="worktree", **fields)


def look(keeper: Keeper, *wanted: Project) -> None:
    keeper.want(Kind.of(one) for one in wanted)
    keeper.run_once()


def ready() -> list[str]:
    """The directories that may be taken over."""
    return [place.found.directory for place in places(READY)]


def runs() -> list[str]:
    return [name for name in launch.ping()["runs"] if name.startswith("0-")]


def test_what_is_wanted_is_made_and_no_more(keeper: Keeper, source: Path, tmp_path: Path) -> None:
    first, second = project(source), project(repository(tmp_path / "other"))
    look(keeper, first, second, first)
    assert len(ready()) == 3
    assert {git(Path(place), "rev-parse", "HEAD") for place in ready()} == {
        git(source, "rev-parse", "HEAD"),
        git(tmp_path / "other", "rev-parse", "HEAD"),
    }
    look(keeper, first, second, first)
    assert len(ready()) == 3
    assert runs() == []
    assert list((settings.SPECYARD.data / "runs").glob("0-*")) == []


def test_a_worker_takes_it_over_and_its_log_says_so(keeper: Keeper, source: Path) -> None:
    place = project(source, setup_command="echo installed | tee installed.txt; date +%N >> times.txt")
    look(keeper, place)
    (made,) = ready()
    assert not (Path(made) / "installed.txt").exists()
    worker = driven(make.worker("cat installed.txt; wc -l < times.txt; echo two > a.txt; pwd", project=place))
    assert worker.status == WorkerStatus.COMPLETED, worker.error
    assert worker.workspace == made
    assert worker.spec is not None
    assert worker.branch == f"spec/{worker.spec.key}-{worker.pk}"
    assert git(source, "show", f"{worker.branch}:a.txt") == "two"
    assert worker.last_line == made
    assert log_path(worker, 0).read_text().splitlines() == ["── made ahead ──", "── setup ──", "installed"]
    assert ready() == []


def test_a_worker_that_finds_nothing_makes_its_own(keeper: Keeper, source: Path, tmp_path: Path) -> None:
    look(keeper, project(repository(tmp_path / "other")))
    worker = driven(make.worker("true", project=project(source)))
    assert Path(worker.workspace).name == worker.folder
    assert len(ready()) == 1


@pytest.mark.parametrize("change", ["environment", "default_branch"])
def test_other_variables_or_another_base_need_another_workspace(keeper: Keeper, source: Path, change: str) -> None:
    place = project(source)
    look(keeper, place)
    git(source, "branch", "other")
    setattr(place, change, {"A": "secret"} if change == "environment" else "other")
    place.save()
    worker = driven(make.worker("true", project=place))
    assert Path(worker.workspace).name == worker.folder
    assert "secret" not in Kind.of(place).key


def test_the_setup_waits_for_its_worker(keeper: Keeper, source: Path) -> None:
    script = source.parent / "setup.sh"
    script.write_text("echo $SPECYARD_WORKER > worker.txt; echo $SPECYARD_WORKSPACE > where.txt")
    place = project(source)
    look(keeper, place)
    place.setup_command = f"sh {script}"
    place.save()
    (made,) = ready()
    assert not (Path(made) / "worker.txt").exists()
    worker = driven(make.worker("cat worker.txt where.txt", project=place))
    assert worker.workspace == made
    assert (Path(made) / "worker.txt").read_text() == f"{worker.pk}\n"
    assert (Path(made) / "where.txt").read_text() == f"{made}\n"


def test_what_waits_is_kept_up_to_date(keeper: Keeper, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = project(source)
    look(keeper, place)
    newer = commit(source, a="two\n")
    look(keeper, place)  # not yet
    (made,) = ready()
    assert git(Path(made), "rev-parse", "HEAD") != newer
    monkeypatch.setattr(ahead, "RENEW_SECONDS", 0.0)
    look(keeper, place)
    assert ready() == [made]
    assert git(Path(made), "rev-parse", "HEAD") == newer


def test_nothing_is_left_of_what_was_taken(keeper: Keeper, source: Path) -> None:
    place = project(source, setup_command="echo hello")
    look(keeper, place, place)
    driven(make.worker("true", project=place))
    commit(source, a="two\n")
    worker = driven(make.worker("true", project=place))
    assert log_path(worker, 0).read_text().splitlines() == [
        "── made ahead ──",
        "── setup ──",
        "hello",
    ]
    assert list(records().iterdir()) == []


def test_what_nobody_needs_is_removed_after_a_while(
    keeper: Keeper, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = project(source)
    look(keeper, place, place)
    look(keeper)
    assert len(ready()) == 2
    monkeypatch.setattr(ahead, "KEEP_SECONDS", 0.0)
    look(keeper, place)
    assert len(ready()) == 1
    look(keeper)
    assert ready() == []
    assert len(git(source, "worktree", "list").splitlines()) == 1
    assert list(records().iterdir()) == []


def test_what_fails_is_not_tried_again_and_again(
    keeper: Keeper, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = tmp_path / "tried"
    (source / ".gitattributes").write_text("a.txt filter=bad\n")
    git(source, "add", ".gitattributes")
    commit(source)
    git(source, "config", "filter.bad.smudge", f"echo x >> {tried}; exit 1")
    git(source, "config", "filter.bad.required", "true")
    place = project(source)
    look(keeper, place)
    look(keeper, place)
    assert tried.read_text() == "x\n"
    assert list(records().iterdir()) == []
    assert list((settings.SPECYARD.data / "workspaces").glob("for-*")) == []
    monkeypatch.setattr(ahead, "RETRY_SECONDS", 0.0)
    look(keeper, place)
    assert tried.read_text() == "x\nx\n"
    worker = driven(make.worker("true", project=place))
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.PREPARATION_FAILED)


def test_a_directory_that_is_no_repository_is_left_to_the_workers(keeper: Keeper, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    look(keeper, project(tmp_path / "plain"))
    assert ready() == []
    assert list(records().glob("*")) == []


class Busy:
    """A keeper in a thread that makes something until its gate opens."""

    def __init__(self, source: Path, pool: Pool) -> None:
        self.gate, self.begun = source.parent / "gate", source.parent / "begun"
        self.draining = threading.Event()
        self.keeper = Keeper(self.draining)
        slow_checkout(source, self.begun, self.gate)
        self.project = project(source)
        self.done = pool.submit(look, self.keeper, self.project)
        until(self.begun.exists, what="files are checked out")

    @property
    def run(self) -> launch.Run:
        return launch.Run.named(runs()[0])


@pytest.fixture
def busy(source: Path) -> Iterator[Busy]:
    with Pool(1) as pool:
        found = Busy(source, pool)
        yield found
        found.gate.touch()


def test_a_start_does_not_wait_for_what_is_being_made(busy: Busy) -> None:
    worker = driven(make.worker("true", project=busy.project))
    assert worker.status == WorkerStatus.COMPLETED
    assert not busy.done.done()
    assert Path(worker.workspace).name == worker.folder


def test_a_process_that_drains_breaks_off_at_once(busy: Busy) -> None:
    busy.draining.set()
    with pytest.raises(Draining):
        busy.done.result(10)
    assert runs() == []
    assert len(places(MAKING)) == 1


def test_who_comes_after_a_killed_process_clears_up(busy: Busy) -> None:
    """The runner of the process before goes on, and what it makes is half made."""
    after = Keeper(threading.Event())
    (left,) = places(MAKING)
    (settings.SPECYARD.data / "runs" / "0-7").mkdir(parents=True)
    look(after)
    assert not (settings.SPECYARD.data / "runs" / "0-7").exists()
    with pytest.raises(RunnerLost):
        busy.done.result(10)
    assert runs() == []
    assert not Path(left.found.directory).exists()
    assert list(records().iterdir()) == []


def test_a_runner_that_is_killed_costs_a_look(busy: Busy, source: Path) -> None:
    pid = launch.ping()["runs"][busy.run.id]["pid"]
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RunnerLost):
        busy.done.result(10)
    busy.gate.touch()
    look(busy.keeper, busy.project)
    assert len(ready()) == 1
    assert places(MAKING) == []
    assert len(git(source, "worktree", "list").splitlines()) == 2


def test_what_was_taken_for_a_worker_that_never_came_to_work_is_given_back(keeper: Keeper, source: Path) -> None:
    place = project(source)
    look(keeper, place, place)
    never, worked = make.worker("true", project=place), driven(make.worker("echo b > b.txt", project=place))
    taken = settings.SPECYARD.data / "workspaces" / f"{never.folder}.taken"
    (record,) = records().glob(f"*{READY}")
    record.rename(taken)
    unknown = taken.with_name("999999.taken")
    shutil.copy(taken, unknown)
    ahead.reclaim()
    assert taken.exists()  # it may still begin
    never.request_stop("mira")
    assert now(never).status == WorkerStatus.STOPPED
    look(Keeper(threading.Event()))
    assert not taken.exists()
    assert unknown.exists()
    assert (Path(worked.workspace) / "b.txt").exists()
    assert list(records().iterdir()) == []
    assert len(git(source, "worktree", "list").splitlines()) == 2


@pytest.mark.parametrize(
    ("state", "link"), [(READY, None), (MAKING, None), (MAKING, ""), (MAKING, "gitdir: x"), (MAKING, "\xff")]
)
def test_one_whose_record_cannot_be_read_is_removed(keeper: Keeper, source: Path, state: str, link: str | None) -> None:
    look(keeper, project(source), project(source))
    (made, other) = ready()
    record = places(READY)[0].record
    record.with_suffix(READY).rename(record.with_suffix(state))
    record.with_suffix(state).write_text("")
    if link is not None:
        (Path(made) / ".git").write_bytes(link.encode("latin-1"))
    (records() / f"key-gone{MAKING}").touch()
    (records() / "else.txt").touch()  # nothing of ours
    look(Keeper(threading.Event()))
    assert ready() == [other]
    assert not Path(made).exists()
    if link is None:
        assert len(git(source, "worktree", "list").splitlines()) == 2
    assert sorted(path.suffix for path in records().iterdir()) == [READY, ".txt"]


def test_a_launcher_that_is_gone_is_nothing_but_a_warning(
    keeper: Keeper, source: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(launch.settings.SPECYARD.__class__, "launcher_socket", source / "nowhere.sock")
    keeper.start()
    keeper.want([Kind.of(project(source))])
    until(lambda: "No workspace is made ahead for now" in caplog.text, what="the warning")
    keeper.close()
    assert not keeper._thread.is_alive()


def test_the_head_of_the_queue_gets_its_workspace_before_its_slot(
    source: Path, tmp_path: Path, background: Background, owned: driving.Owned
) -> None:
    """From the queue to the worker, with the thread of the node."""
    gate = tmp_path / "gate"
    node = make.node()
    Yard.current()
    Yard.objects.update(limit=1)
    place = project(source)
    first = dispatch.enqueue(make.spec(f"until test -e {gate}; do sleep 0.02; done", project=place), by="mira")
    assert isinstance(first, Worker)
    done = background(first)
    second = dispatch.enqueue(make.spec("pwd", project=place), by="mira")
    assert isinstance(second, WorkerQueue)
    keeper = Keeper(threading.Event())
    caretaker = Caretaker(node.name, keeper=keeper)
    keeper.start()
    caretaker.run_once()
    (made,) = until(ready, what="a workspace is made ahead")
    gate.touch()
    done.result(20)
    worker = until(lambda: Worker.objects.filter(spec_id=second.spec_id).first(), what="the second starts")
    until(lambda: caretaker.run_once() or now(worker).completed_at, what="it ends")
    assert now(worker).workspace == made
    keeper.close()


def test_it_can_be_switched_off(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = make.node()
    dispatch.pause_queue("mira")
    dispatch.enqueue(make.spec("true", project=project(source)), by="mira")
    Yard.objects.update(limit=0, paused=False)
    assert len(ahead.wanted_on(node)) == 1
    monkeypatch.setattr(settings.SPECYARD, "spare_workspaces", 0)
    assert ahead.wanted_on(node) == []


def test_a_repository_that_is_gone_is_no_reason_to_stop(keeper: Keeper, source: Path, tmp_path: Path) -> None:
    gone, other = project(source), project(repository(tmp_path / "other"))
    subprocess.run(["rm", "-rf", str(source)], check=True)
    look(keeper, gone, other)
    assert len(ready()) == 1
