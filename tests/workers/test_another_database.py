"""Nothing that is kept for a worker is taken for that of another with its number, in a new or a restored database."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from tests.support import make, numbers, processes
from tests.support.driving import LONG_AGO, Background, aged, claimed, driven, leftovers, now
from tests.support.repository import repository
from tests.support.wait import until
from workers import cleaning, driving, launch, maintenance, pruning
from workers.launch import Run
from workers.models import Attempt, Worker
from workers.states import WorkerStatus
from workers.workspace import agent_data

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher")]


@pytest.fixture(autouse=True)
def first_database(transactional_db: None) -> None:
    numbers.begin_anew()


RUN = "echo {what} | tee -a done"


def accepted(directory: Path, *commands: str, **fields: object) -> Worker:
    return make.worker(*commands, project=make.project(directory), **fields)  # type: ignore[arg-type]


def test_a_worker_of_a_new_database_runs_its_chunks(tmp_path: Path) -> None:
    old = driven(accepted(tmp_path, RUN.format(what="old")))
    numbers.begin_anew()
    new = driven(accepted(tmp_path, RUN.format(what="new")))
    assert (old.pk, new.pk) == (1, 1)
    assert new.status == WorkerStatus.COMPLETED
    assert processes.lines(tmp_path / "done") == ["old", "new"]
    attempt = Attempt.objects.get()
    assert processes.lines(attempt.log_path) == ["new"]
    assert attempt.log_lines == 1
    assert leftovers(new) == []


def test_a_worker_that_another_database_had_under_way_is_not_finished_by_a_foreign_journal(tmp_path: Path) -> None:
    driven(accepted(tmp_path, RUN.format(what="old")))
    numbers.begin_anew()
    theirs = claimed(RUN.format(what="theirs"), project=make.project(tmp_path))
    assert driven(theirs, driving.adopt).status == WorkerStatus.COMPLETED
    assert processes.lines(tmp_path / "done") == ["old", "theirs"]


def test_unmerged_work_of_a_worker_with_the_same_number_stays(tmp_path: Path) -> None:
    source = repository(tmp_path / "source")
    old = driven(make.worker("echo precious > kept.txt", project=make.project(source, isolation="worktree")))
    numbers.begin_anew()
    new = driven(make.worker("true", project=make.project(source, isolation="worktree")))
    assert (old.pk, new.pk, new.status) == (1, 1, WorkerStatus.COMPLETED)
    assert (Path(old.workspace) / "kept.txt").read_text() == "precious\n"
    assert new.workspace != old.workspace


# An older state of the same database


def restored(worker: Worker, **state: object) -> Worker:
    """The worker as it was in a backup: claimed, with nothing done."""
    Attempt.objects.filter(chunk__worker=worker).delete()
    worker.chunks.update(outcome="pending", started_at=None, finished_at=None)
    facts = {"status": "running", "completed_at": None, "slot": make.free_slot(), "passed": 0, "current": 0}
    return aged(worker, **{**facts, **state})


def test_a_restored_worker_that_was_not_claimed_yet_is_begun_anew(tmp_path: Path) -> None:
    worker = driven(accepted(tmp_path, RUN.format(what="one")))
    first = Attempt.objects.get()
    restored(worker, status="idle", epoch=1, incarnation=0)
    numbers.give_again("workers_attempt", first.pk)
    again = driven(now(worker))
    assert (again.status, again.incarnation) == (WorkerStatus.COMPLETED, 2)
    assert processes.lines(tmp_path / "done") == ["one", "one"]
    attempt = Attempt.objects.get()
    assert attempt.pk == first.pk
    assert processes.lines(attempt.log_path) == ["one"]
    (apart,) = attempt.log_path.parent.glob(f"{attempt.log_path.name}.*")
    assert processes.lines(apart) == ["one"]


def test_a_later_runner_than_the_restored_one_is_not_taken_for_the_next(tmp_path: Path, background: Background) -> None:
    """What its own run has done counts; what a run has done that the database has forgotten does not."""
    gate = tmp_path / "gate"
    worker = accepted(tmp_path, f"{RUN.format(what='one')}; test -e {gate} || kill -9 $PPID; sleep 60 & test -e {gate}")
    done = background(worker)
    until(lambda: now(worker).incarnation == 2, what="a second runner is there")
    gate.touch()
    done.result(20)
    before = processes.lines(tmp_path / "done")
    restored(worker, epoch=1, incarnation=1)
    again = driven(now(worker), driving.adopt)
    assert again.status == WorkerStatus.COMPLETED
    assert len(processes.lines(tmp_path / "done")) == len(before) + 1
    assert again.incarnation > 2


def test_an_owner_of_a_restored_database_catches_up_with_the_epoch_of_the_runner(
    tmp_path: Path, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    worker = accepted(tmp_path, f"{RUN.format(what='one')}; until test -e {gate}; do sleep 0.02; done")
    for adopted in range(4):
        done = background(now(worker), driving.adopt if adopted else driving.run)
        until(lambda epoch=adopted + 1: obeys(now(worker)) == epoch, what="its runner obeys")
        driving.owned.superseded.set()
        done.result(10)
        monkeypatch.setattr(driving, "owned", driving.Owned())
    aged(worker, epoch=1)
    gate.touch()
    tries = 0
    while now(worker).is_active:
        tries += 1
        driven(now(worker), driving.adopt)
        assert tries < 5
    assert now(worker).status == WorkerStatus.COMPLETED
    assert processes.lines(tmp_path / "done") == ["one"]


def obeys(worker: Worker) -> int:
    entries = Run(worker.folder, worker.incarnation).entries()
    return max((entry["epoch"] for entry in entries if entry["kind"] == "attached"), default=0)


# What nobody knows any more


def test_a_runner_of_a_worker_that_the_database_does_not_know_is_ended(
    tmp_path: Path, background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    mark = f"sleep 6{tmp_path.stat().st_ino}"
    worker = accepted(tmp_path, mark)
    done = background(worker)
    until(lambda: processes.marked(mark), what="its command runs")
    driving.owned.superseded.set()
    done.result(10)
    (run,) = launch.alive()
    numbers.begin_anew()
    node = make.node()
    other = claimed()
    assert other.pk == worker.pk
    assert maintenance.end_unwanted_runs(node) == [run.id]
    assert not processes.marked(mark)
    assert launch.alive() == []
    assert f"Run {run.id} is ended: this database knows no such worker" in caplog.text
    assert run.entries()  # for the database that knows it


@pytest.mark.parametrize("state", [{"incarnation": 0}, {"status": "stopped", "slot": None}])
def test_a_runner_that_a_restored_database_has_forgotten_is_ended_whoever_it_obeyed(
    state: dict[str, object], tmp_path: Path, background: Background
) -> None:
    """Else two of them would be at work in one workspace."""
    mark = f"sleep 7{tmp_path.stat().st_ino}"
    worker = accepted(tmp_path, mark)
    aged(worker, epoch=5)
    done = background(now(worker))
    until(lambda: processes.marked(mark), what="its command runs")
    driving.owned.superseded.set()
    done.result(10)
    ended = {"completed_at": timezone.now()} if "status" in state else {}
    aged(worker, epoch=1, **state, **ended)
    assert maintenance.end_unwanted_runs(worker.node)
    assert not processes.marked(mark)
    assert launch.alive() == []


def test_nothing_of_another_database_is_removed(tmp_path: Path) -> None:
    source = repository(tmp_path / "source")
    old = driven(make.worker("echo precious > kept.txt", project=make.project(source, isolation="worktree")))
    numbers.begin_anew()
    new = aged(claimed(), status="stopped", slot=None, completed_at=timezone.now() - LONG_AGO * 10_000)
    data = settings.SPECYARD.data
    agent_data(old.folder).mkdir(parents=True)
    assert old.pk == new.pk
    assert pruning.old_runs() == []
    found = cleaning.survey(new.node.name, kept=())
    assert [dead for dead in found if dead.path.name.startswith(old.folder)] == []
    for place in ("runs", "agents", "workspaces", "logs"):
        assert list((data / place).glob(f"{old.folder}*"))


def test_a_worker_from_before_there_were_nonces_keeps_its_names(tmp_path: Path) -> None:
    worker = aged(accepted(tmp_path, RUN.format(what="one")), nonce="")
    assert driven(worker).status == WorkerStatus.COMPLETED
    assert worker.folder == str(worker.pk)
    assert Run(worker.folder, 1).id == f"{worker.pk}-1"
    assert Attempt.objects.get().log_path.read_text() == "one\n"
    old = aged(now(worker), completed_at=timezone.now() - timedelta(days=30))
    assert pruning.old_runs() == [Run(old.folder, 1).directory]
