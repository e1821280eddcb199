"""Who drives a worker: doubled and late messages, adoption, fencing, shutdown, and runners that die meanwhile."""

import os
import signal
from pathlib import Path

import pytest

from tests.support import make, processes
from tests.support.driving import (
    Background,
    attempts,
    driven,
    leftovers,
    now,
    outcomes,
    running_attempt,
    runs_of,
)
from tests.support.wait import until
from workers import driving, engine, launch, link, publisher
from workers.models import Attempt, Worker
from workers.states import Reason, Wish, WorkerStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher")]

COUNT = "i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo line $i; sleep 0.005; done"


def accepted(*commands: object, directory: Path, **fields: object) -> Worker:
    return make.worker(*commands, project=make.project(directory), **fields)  # type: ignore[arg-type]


def waiting(directory: Path) -> str:
    """A command that ends when `directory`/gate appears."""
    return f"echo begun >> {directory}/log; while ! test -e {directory}/gate; do sleep 0.01; done"


def left_alone(worker: Worker, background: Background, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """The worker, its runner at work, after its owner has let go of it and left the runner alone."""
    done = background(worker)
    run = launch.Run(worker.folder, 1)
    until(lambda: any(entry["kind"] == "started" for entry in run.entries()), what="its runner is at work")
    driving.owned.superseded.set()
    done.result(10)
    monkeypatch.setattr(driving, "owned", driving.Owned())
    return now(worker)


def runner(worker: Worker) -> int:
    """The pid of the worker's runner."""
    worker = now(worker)
    return int(launch.ping()["runs"][f"{worker.folder}-{worker.incarnation}"]["pid"])


# Messages


def test_a_doubled_message_starts_nothing_twice(background: Background, tmp_path: Path) -> None:
    worker = accepted(waiting(tmp_path), directory=tmp_path)
    first, second = background(worker), background(worker)
    running_attempt(worker)
    driving.run(worker.pk, worker.epoch)
    (tmp_path / "gate").touch()
    for done in (first, second):
        done.result(10)
    assert now(worker).status == WorkerStatus.COMPLETED
    assert processes.lines(tmp_path / "log") == ["begun"]


def test_a_late_message_finds_nothing_to_do(tmp_path: Path) -> None:
    worker = accepted("echo once >> log", directory=tmp_path)
    ended = driven(worker)
    assert driven(worker).completed_at == ended.completed_at
    assert processes.lines(tmp_path / "log") == ["once"]


def test_a_message_for_another_epoch_starts_nothing(tmp_path: Path) -> None:
    worker = accepted("true", directory=tmp_path)
    driving.run(worker.pk, worker.epoch + 1)
    assert now(worker).status == WorkerStatus.IDLE


def test_a_process_that_is_about_to_end_takes_nothing_up(background: Background, tmp_path: Path) -> None:
    worker = accepted("true", directory=tmp_path)
    driving.owned.draining.set()
    background(worker).result(10)
    assert now(worker).status == WorkerStatus.IDLE


def test_a_flag_that_lies_changes_nothing(
    background: Background, tmp_path: Path, valkey: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    real = engine.Engine.read_wish
    monkeypatch.setattr(engine.Engine, "read_wish", lambda self: read.append(1) or real(self))
    worker = accepted(waiting(tmp_path), directory=tmp_path)
    done = background(worker)
    running_attempt(worker)
    for lie in (Wish.STOP, Wish.PAUSE, "nonsense", "\x00"):
        publisher.client().set(publisher.wish_key(worker.pk), lie)
        seen = len(read)
        until(lambda seen=seen: len(read) > seen, 2.0, "the row is read")
    assert now(worker).status == WorkerStatus.RUNNING
    (tmp_path / "gate").touch()
    done.result(10)
    assert now(worker).status == WorkerStatus.COMPLETED


# Adoption


def test_an_adopted_worker_goes_on_with_the_same_attempt(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = accepted(COUNT.format(lines=100), directory=tmp_path)
    worker = left_alone(worker, background, monkeypatch)
    assert (worker.status, len(runs_of(worker))) == (WorkerStatus.RUNNING, 1)
    ended = driven(worker, driving.adopt)
    assert (ended.status, ended.epoch, ended.incarnation) == (WorkerStatus.COMPLETED, 2, 1)
    attempt = Attempt.objects.get()
    assert processes.lines(attempt.log_path) == [f"line {number}" for number in range(1, 101)]
    assert attempt.log_lines == 100
    assert leftovers(worker) == []


def test_an_adoption_with_another_epoch_takes_nothing(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = left_alone(accepted(waiting(tmp_path), directory=tmp_path), background, monkeypatch)
    driving.adopt(worker.pk, worker.epoch + 1)
    driving.adopt(worker.pk, worker.epoch - 1)
    assert (now(worker).epoch, now(worker).status) == (worker.epoch, WorkerStatus.RUNNING)


def test_what_a_runner_finished_before_it_died_counts(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = left_alone(accepted(waiting(tmp_path), directory=tmp_path), background, monkeypatch)
    run = launch.Run(worker.folder, worker.incarnation)
    (tmp_path / "gate").touch()
    until(lambda: [entry for entry in run.entries() if entry["kind"] == "finished"], what="it has finished")
    os.kill(runner(worker), signal.SIGKILL)
    assert driven(worker, driving.adopt).status == WorkerStatus.COMPLETED
    assert attempts(worker) == [(1, 1, "passed", "")]
    assert processes.lines(tmp_path / "log") == ["begun"]


def test_what_a_runner_had_not_finished_is_lost_and_tried_again(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = left_alone(accepted(waiting(tmp_path), directory=tmp_path), background, monkeypatch)
    os.kill(runner(worker), signal.SIGKILL)
    (tmp_path / "gate").touch()
    ended = driven(worker, driving.adopt)
    assert (ended.status, ended.rescues, ended.incarnation) == (WorkerStatus.COMPLETED, 1, 2)
    assert attempts(worker) == [(1, 1, "lost", "runner_lost"), (1, 2, "passed", "")]


def test_an_executed_chunk_whose_review_is_lost_is_tried_again(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = f"touch {tmp_path}/reviewing; {waiting(tmp_path)}"
    worker = accepted("true", directory=tmp_path, review=review)
    done = background(worker)
    until((tmp_path / "reviewing").exists, what="the review runs")
    driving.owned.superseded.set()
    done.result(10)
    monkeypatch.setattr(driving, "owned", driving.Owned())
    os.kill(runner(worker), signal.SIGKILL)
    (tmp_path / "gate").touch()
    assert driven(now(worker), driving.adopt).status == WorkerStatus.COMPLETED
    assert [attempt[2] for attempt in attempts(worker)] == ["lost", "passed"]


def test_wishes_from_the_time_without_an_owner_are_carried_out(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = left_alone(accepted(waiting(tmp_path), directory=tmp_path), background, monkeypatch)
    worker.request_pause("mira")
    done = background(worker, driving.adopt)
    until(lambda: now(worker).status == WorkerStatus.PAUSED, what="paused")
    driving.owned.superseded.set()
    done.result(10)
    monkeypatch.setattr(driving, "owned", driving.Owned())
    worker.request_resume("mira")
    done = background(now(worker), driving.adopt)
    until(lambda: now(worker).status == WorkerStatus.RUNNING, what="resumed")
    (tmp_path / "gate").touch()
    done.result(10)
    assert (now(worker).status, now(worker).epoch) == (WorkerStatus.COMPLETED, 3)
    assert len(attempts(worker)) == 1


def test_a_stop_from_the_time_without_an_owner_begins_nothing(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = left_alone(accepted(waiting(tmp_path), directory=tmp_path), background, monkeypatch)
    os.kill(runner(worker), signal.SIGKILL)
    worker.request_stop("mira")
    ended = driven(worker, driving.adopt)
    assert (ended.status, ended.incarnation) == (WorkerStatus.STOPPED, 1)
    assert attempts(worker) == [(1, 1, "interrupted", "interrupted")]
    assert leftovers(worker) == []


def test_an_owner_that_was_overtaken_lets_go_and_harms_nothing(background: Background, tmp_path: Path) -> None:
    worker = accepted(waiting(tmp_path), directory=tmp_path)
    done = background(worker)
    running_attempt(worker)
    assert Worker.adopt(worker.pk, worker.epoch)
    done.result(10)
    assert driving.owned.all() == {}
    assert (now(worker).status, len(runs_of(worker))) == (WorkerStatus.RUNNING, 1)
    (tmp_path / "gate").touch()
    assert driven(now(worker), driving.adopt).status == WorkerStatus.COMPLETED
    assert processes.lines(tmp_path / "log") == ["begun"]


# Shutdown, and runners that die


def test_a_shutdown_charges_nothing_and_the_chunk_is_begun_again(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = accepted("true", waiting(tmp_path), directory=tmp_path, max_attempts=1)
    done = background(worker)
    until(lambda: processes.lines(tmp_path / "log"), what="the second chunk runs")
    driving.owned.draining.set()
    done.result(10)
    assert (now(worker).status, runs_of(worker)) == (WorkerStatus.RUNNING, [])
    assert attempts(worker)[-1] == (2, 1, "interrupted", "interrupted")
    monkeypatch.setattr(driving, "owned", driving.Owned())
    (tmp_path / "gate").touch()
    assert driven(now(worker), driving.adopt).status == WorkerStatus.COMPLETED
    assert attempts(worker) == [(1, 1, "passed", ""), (2, 1, "interrupted", "interrupted"), (2, 2, "passed", "")]
    assert now(worker).rescues == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_runner_that_somebody_ends_costs_one_rescue(number: int, background: Background, tmp_path: Path) -> None:
    worker = accepted("true", waiting(tmp_path), "true", directory=tmp_path, max_attempts=1)
    done = background(worker)
    until(lambda: processes.lines(tmp_path / "log"), what="the second chunk runs")
    os.kill(runner(worker), number)
    until(lambda: len(processes.lines(tmp_path / "log")) == 2, what="it is begun again")
    (tmp_path / "gate").touch()
    done.result(10)
    ended = now(worker)
    assert (ended.status, ended.rescues, ended.incarnation) == (WorkerStatus.COMPLETED, 1, 2)
    assert [attempt[:3] for attempt in attempts(worker)] == [
        (1, 1, "passed"),
        (2, 1, "lost"),
        (2, 2, "passed"),
        (3, 1, "passed"),
    ]


@pytest.mark.parametrize("name", ["TERM", "KILL"])
def test_a_runner_that_dies_while_it_prepares_is_replaced(name: str, tmp_path: Path) -> None:
    setup = f"test -e {tmp_path}/again && exit; touch {tmp_path}/again; kill -{name} $PPID; sleep 60"
    project = make.project(tmp_path, isolation="in_place", setup_command=setup)
    ended = driven(make.worker("true", project=project))
    assert (ended.status, ended.incarnation, outcomes(ended)) == (WorkerStatus.COMPLETED, 2, ["passed"])


@pytest.mark.parametrize("name", ["TERM", "KILL"])
def test_a_runner_that_dies_whenever_it_prepares_ends_the_worker(name: str, tmp_path: Path) -> None:
    project = make.project(tmp_path, setup_command=f"kill -{name} $PPID; sleep 60")
    ended = driven(make.worker("true", project=project))
    assert (ended.status, ended.reason) == (WorkerStatus.FAILED, Reason.RUNNER_LOST)
    assert ended.error == "The runner died 4 times while preparing the workspace."
    assert leftovers(ended) == []


def test_a_chunk_that_always_ends_its_runner_ends_the_worker(tmp_path: Path) -> None:
    ended = driven(accepted("kill $PPID; sleep 60", directory=tmp_path))
    assert (ended.status, ended.reason) == (WorkerStatus.FAILED, Reason.RUNNER_LOST)
    assert [attempt[2] for attempt in attempts(ended)] == ["lost"] * 4
    assert leftovers(ended) == []


def test_a_runner_that_hangs_is_ended_by_stop(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "END_SECONDS", 1.0)
    mark = f"sleep 5{tmp_path.stat().st_ino}"
    worker = accepted(f"env -i setsid {mark} & {mark}", directory=tmp_path)
    done = background(worker)
    until(lambda: len(processes.marked(mark)) >= 2, what="its tree runs")
    os.kill(runner(worker), signal.SIGSTOP)
    worker.request_stop("mira")
    done.result(10)
    assert now(worker).status == WorkerStatus.STOPPED
    assert not processes.marked(mark)
    assert leftovers(worker) == []


def test_a_teardown_that_a_shutdown_has_cut_off_is_run_again(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teardown = f"{waiting(tmp_path)}; echo down >> {tmp_path}/log"
    worker = make.worker("true", project=make.project(tmp_path, teardown_command=teardown))
    done = background(worker)
    until(lambda: processes.lines(tmp_path / "log"), what="the teardown runs")
    driving.owned.draining.set()
    done.result(10)
    assert now(worker).status == WorkerStatus.RUNNING
    monkeypatch.setattr(driving, "owned", driving.Owned())
    (tmp_path / "gate").touch()
    assert driven(now(worker), driving.adopt).status == WorkerStatus.COMPLETED
    assert processes.lines(tmp_path / "log") == ["begun", "begun", "down"]
