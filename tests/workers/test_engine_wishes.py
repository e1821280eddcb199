"""Stop, pause and resume at every moment of a worker's life."""

import itertools
import os
from pathlib import Path
from typing import Any

import pytest

from queue_app import dispatch
from tests.support import make, processes
from tests.support.driving import Background, attempts, driven, leftovers, now, outcomes, running_attempt
from tests.support.wait import until
from workers import driving, engine
from workers.models import Event, Worker, latest_seq
from workers.states import Reason, Wish, WorkerStatus
from workers.workspace import for_worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher", "valkey")]

WAIT = "echo begun; while ! test -e {gate}; do sleep 0.01; done"


def gated(directory: Path, *more: object, **fields: object) -> Worker:
    """A worker whose first chunk ends when `directory`/gate appears."""
    command = WAIT.format(gate=directory / "gate")
    return make.worker(command, *more, project=make.project(directory), **fields)  # type: ignore[arg-type]


def paused(worker: Worker) -> Worker:
    until(lambda: now(worker).status == WorkerStatus.PAUSED, 2.0, "paused within 2 s")
    return now(worker)


def resumed(worker: Worker) -> Worker:
    until(lambda: now(worker).status == WorkerStatus.RUNNING, 2.0, "resumed within 2 s")
    return now(worker)


def kinds(worker: Worker) -> list[str]:
    """The kinds of the worker's events, progress left out."""
    events = Event.objects.filter(worker_id=worker.pk).exclude(kind="worker_progress")
    return [kind.removeprefix("worker_") for kind in events.values_list("kind", flat=True)]


# Stop


def test_a_worker_that_was_stopped_before_its_claim_is_not_begun(tmp_path: Path) -> None:
    worker = gated(tmp_path)
    worker.request_stop("mira")
    driving.run(worker.pk, 1)
    assert (now(worker).status, now(worker).incarnation) == (WorkerStatus.STOPPED, 0)
    assert attempts(worker) == []


def test_stop_ends_the_chunk_and_charges_nothing(background: Background, tmp_path: Path) -> None:
    worker = gated(tmp_path, "touch second")
    done = background(worker)
    attempt = running_attempt(worker)
    until(lambda: processes.lines(attempt.log_path), what="it has begun")
    worker.request_stop("mira")
    done.result(10)
    ended = now(worker)
    assert (ended.status, ended.reason, ended.error) == (WorkerStatus.STOPPED, Reason.STOPPED, "Stopped by mira.")
    assert attempts(worker) == [(1, 1, "interrupted", "interrupted")]
    assert outcomes(worker) == ["pending", "pending"]
    assert leftovers(worker) == []


def test_a_stopped_attempt_knows_how_far_its_log_reaches(background: Background, tmp_path: Path) -> None:
    worker = gated(tmp_path, {"run": "trap 'seq 1000; exit' TERM; echo begun; while :; do sleep 0.01; done"})
    (tmp_path / "gate").touch()
    done = background(worker)
    attempt = until(lambda: (found := running_attempt(worker)).chunk.ordinal == 2 and found, what="second chunk")
    until(lambda: processes.lines(attempt.log_path), what="it has begun")
    worker.request_stop("mira")
    done.result(10)
    attempt.refresh_from_db()
    told = attempt.log_path.read_bytes()
    assert b"\n1000\n" in told
    assert (attempt.log_lines, attempt.log_bytes) == (told.count(b"\n"), len(told))


def test_stop_while_a_long_copy_is_made_leaves_no_half_copy(background: Background, tmp_path: Path) -> None:
    source = tmp_path / "project"
    source.mkdir()
    (source / "file").touch()
    for number in range(40_000):  # which takes `cp` half a second
        os.link(source / "file", source / str(number))
    worker = make.worker("touch begun", project=make.project(source, isolation="copy"))
    done = background(worker)
    copy = for_worker(worker.project, worker.folder).directory
    half = copy.with_name(copy.name + ".part")
    until(lambda: half.exists() and any(half.iterdir()), what="the copy is being made")
    worker.request_stop("mira")
    done.result(10)
    assert now(worker).status == WorkerStatus.STOPPED
    assert not copy.exists()
    assert not half.exists()
    assert attempts(worker) == []
    assert leftovers(worker) == []


def test_stop_during_the_review(background: Background, tmp_path: Path) -> None:
    worker = make.worker("true", project=make.project(tmp_path), review="touch reviewing; sleep 60")
    done = background(worker)
    until((tmp_path / "reviewing").exists, what="the review runs")
    worker.request_stop("mira")
    done.result(10)
    assert attempts(worker) == [(1, 1, "interrupted", "interrupted")]
    assert leftovers(worker) == []


def test_stop_ends_a_paused_worker(background: Background, tmp_path: Path) -> None:
    worker = gated(tmp_path)
    done = background(worker)
    running_attempt(worker)
    worker.request_pause("mira")
    paused(worker)
    worker.request_stop("ines")
    done.result(10)
    assert now(worker).error == "Stopped by ines."
    assert leftovers(worker) == []


def test_stop_without_redis(background: Background, tmp_path: Path, valkey: object) -> None:
    worker = gated(tmp_path)
    done = background(worker)
    running_attempt(worker)
    valkey.kill()  # type: ignore[attr-defined]
    worker.request_stop("mira")
    done.result(10)
    assert now(worker).status == WorkerStatus.STOPPED


# Pause


def test_a_worker_that_was_paused_before_its_claim_begins_frozen(background: Background, tmp_path: Path) -> None:
    worker = make.worker("touch begun", project=make.project(tmp_path))
    worker.request_pause("mira")
    done = background(worker)
    paused(worker)
    assert not (tmp_path / "begun").exists()
    worker.request_resume("mira")
    done.result(10)
    assert now(worker).status == WorkerStatus.COMPLETED
    assert (tmp_path / "begun").exists()


def test_a_pause_during_the_review_holds_the_review(background: Background, tmp_path: Path) -> None:
    review = f"touch reviewing; {WAIT.format(gate=tmp_path / 'gate')}"
    worker = make.worker("true", project=make.project(tmp_path), review=review)
    done = background(worker)
    until((tmp_path / "reviewing").exists, what="the review runs")
    worker.request_pause("mira")
    assert paused(worker).step == "reviewing"
    (tmp_path / "gate").touch()
    still_paused(worker)
    worker.request_resume("mira")
    done.result(10)
    assert attempts(worker) == [(1, 1, "passed", "")]
    assert kinds(worker) == ["started", "started", "paused", "resumed", "completed"]


def still_paused(worker: Worker) -> None:
    """Nothing happens to it while a whole other worker is driven to its end."""
    seq = latest_seq()
    driven(make.worker("sleep 0.3", project=make.project()))
    assert now(worker).status == WorkerStatus.PAUSED
    assert not Event.objects.filter(seq__gt=seq, worker_id=worker.pk).exists()


def test_a_pause_between_chunks_holds_the_next_one(
    background: Background, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = f"{WAIT.format(gate=tmp_path / 'second-gate')}; touch second"
    worker = gated(tmp_path, second)
    settle = engine.Engine.settle

    def settle_and_pause(driver: engine.Engine, *arguments: Any) -> None:
        settle(driver, *arguments)
        if driver.worker.pk == worker.pk and driver.worker.passed == 1:
            worker.request_pause("mira")

    monkeypatch.setattr(engine.Engine, "settle", settle_and_pause)
    (tmp_path / "gate").touch()
    done = background(worker)
    assert paused(worker).current == 2
    (tmp_path / "second-gate").touch()
    still_paused(worker)
    assert not (tmp_path / "second").exists()
    worker.request_resume("mira")
    done.result(10)
    assert now(worker).status == WorkerStatus.COMPLETED
    assert (tmp_path / "second").exists()


def test_pause_and_resume_in_quick_succession_end_as_the_last_wish_says(background: Background, tmp_path: Path) -> None:
    worker = gated(tmp_path)
    done = background(worker)
    running_attempt(worker)
    for verb, _ in zip(itertools.cycle((worker.request_pause, worker.request_resume)), range(41), strict=False):
        verb("mira")
    assert paused(worker).desired == Wish.PAUSE
    still_paused(worker)
    worker.request_resume("mira")
    worker.request_pause("mira")
    worker.request_resume("mira")
    (tmp_path / "gate").touch()
    done.result(10)
    assert now(worker).status == WorkerStatus.COMPLETED
    assert leftovers(worker) == []


def test_wall_time_stands_still_while_paused(background: Background, tmp_path: Path) -> None:
    worker = make.worker("sleep 0.8; echo done", project=make.project(tmp_path), max_attempts=1)
    worker.chunks.update(timeout=1)
    done = background(worker)
    running_attempt(worker)
    worker.request_pause("mira")
    paused(worker)
    for _ in range(4):
        still_paused(worker)  # longer, together, than the limit
    worker.request_resume("mira")
    done.result(10)
    assert now(worker).status == WorkerStatus.COMPLETED


# Requeue and retry


def test_requeue_ends_the_worker_and_its_successor_keeps_what_passed(background: Background, tmp_path: Path) -> None:
    worker = make.worker(
        "echo one >> log", WAIT.format(gate=tmp_path / "gate"), "echo three >> log", project=make.project(tmp_path)
    )
    done = background(worker)
    until(lambda: now(worker).current == 2, what="the second chunk")
    running_attempt(worker)
    dispatch.requeue(now(worker), by="mira")
    done.result(10)
    assert (now(worker).status, now(worker).reason) == (WorkerStatus.STOPPED, Reason.REQUEUED)
    assert now(worker).error == "Put back into the queue by mira."
    successor = until(lambda: Worker.objects.filter(continues=worker).first(), what="its entry starts")
    (tmp_path / "gate").touch()
    successor = driven(successor)
    assert (successor.status, successor.passed) == (WorkerStatus.COMPLETED, 3)
    assert [chunk for chunk, *_ in attempts(successor)] == [2, 3]
    assert (tmp_path / "log").read_text() == "one\nthree\n"


def test_retry_goes_on_at_the_first_chunk_that_has_not_passed(tmp_path: Path) -> None:
    worker = make.worker("echo one >> log", "test -e ready", project=make.project(tmp_path), max_attempts=1)
    assert driven(worker).status == WorkerStatus.FAILED
    (tmp_path / "ready").touch()
    successor = dispatch.retry(now(worker), by="mira")
    assert isinstance(successor, Worker)
    assert driven(successor).status == WorkerStatus.COMPLETED
    assert attempts(successor) == [(2, 1, "passed", "")]
    assert (tmp_path / "log").read_text() == "one\n"
