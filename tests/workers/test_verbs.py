"""One verb per transition: what it allows, what it refuses, and that a stale owner can do nothing."""

import pytest
from django.db import IntegrityError, transaction

from tests.support import make
from workers.errors import Fenced, StaleTransition
from workers.models import Attempt, Event, Worker, WorkerChunk, latest_seq
from workers.models.worker import IS_ACTIVE
from workers.states import AttemptStatus, ChunkOutcome, Reason, Wish, WorkerStatus

pytestmark = pytest.mark.django_db(transaction=True)


def claimed(*commands: str) -> Worker:
    worker = make.worker(*commands)
    found = Worker.claim(worker.pk, worker.epoch)
    assert found is not None
    return found


def test_a_worker_is_claimed_once() -> None:
    worker = make.worker()
    assert Worker.claim(worker.pk, worker.epoch)
    assert Worker.claim(worker.pk, worker.epoch) is None


def test_a_claim_with_another_epoch_finds_nothing() -> None:
    worker = make.worker()
    assert Worker.claim(worker.pk, worker.epoch + 1) is None


def test_accepting_freezes_the_plan() -> None:
    worker = make.worker("echo one", "echo two")
    chunk = worker.spec.chunks.first()
    chunk.title, chunk.params = "Changed", {"run": "echo changed"}
    chunk.save()
    frozen = worker.chunks.first()
    assert (frozen.title, frozen.params) == ("Chunk 1", {"run": "echo one"})
    assert worker.total == 2


def test_an_active_worker_ends_once_and_gives_its_slot_back() -> None:
    worker = claimed()
    worker.completed()
    assert (worker.status, worker.slot) == (WorkerStatus.COMPLETED, None)
    assert worker.completed_at is not None
    worker.completed()
    assert Event.objects.filter(kind="worker_completed").count() == 1


@pytest.mark.parametrize("verb", ["completed", "paused", "resumed"])
def test_a_final_state_is_final(verb: str) -> None:
    worker = claimed()
    worker.fail(Reason.CHUNK_FAILED, "exit 1")
    with pytest.raises(StaleTransition):
        getattr(worker, verb)()


def test_a_rescued_worker_cannot_commit() -> None:
    old = claimed()
    attempt = Attempt.open(old, old.chunks.get())
    assert Worker.adopt(old.pk, old.epoch)
    seq = latest_seq()
    for write in (
        old.completed,
        old.paused,
        old.new_incarnation,
        lambda: old.fail(Reason.CHUNK_FAILED, "late"),
        lambda: old.stopped("late"),
        lambda: old.prepared("/elsewhere"),
        lambda: Attempt.open(old, old.chunks.get()),
        lambda: attempt.output(old, 10, 1, "late"),
        lambda: attempt.begin_review(old),
        lambda: attempt.close(old, AttemptStatus.PASSED, ChunkOutcome.PASSED),
        lambda: old.chunks.get().skip(old),
    ):
        with pytest.raises(Fenced):
            write()
    assert latest_seq() == seq
    assert Attempt.objects.get().status == AttemptStatus.RUNNING


def test_a_worker_is_adopted_by_one() -> None:
    worker = claimed()
    assert Worker.adopt(worker.pk, worker.epoch)
    assert Worker.adopt(worker.pk, worker.epoch) is None


def test_a_commit_whose_answer_was_lost_is_a_success_when_repeated() -> None:
    worker = claimed()
    again = Worker.objects.select_related("project").get(pk=worker.pk)
    worker.paused()
    again.paused()
    assert Event.objects.filter(kind="worker_paused").count() == 1


def test_pausing_is_a_wish_until_the_owner_confirms_it() -> None:
    worker = claimed()
    worker.request_pause("mira")
    fresh = Worker.objects.get()
    assert (fresh.desired, fresh.desired_by, fresh.status) == (Wish.PAUSE, "mira", WorkerStatus.RUNNING)


def test_nothing_overrules_a_stop() -> None:
    worker = claimed()
    worker.request_stop("mira")
    with pytest.raises(StaleTransition, match="stopping"):
        worker.request_resume("ines")
    worker.request_stop("ines")
    assert Worker.objects.get().desired_by == "mira"


def test_stopping_an_unclaimed_worker_ends_it_at_once() -> None:
    worker = make.worker()
    worker.request_stop("mira")
    assert (worker.status, worker.reason) == (WorkerStatus.STOPPED, Reason.STOPPED)
    assert Worker.claim(worker.pk, 1) is None


@pytest.mark.parametrize("verb", ["request_pause", "request_resume", "request_stop"])
def test_a_worker_that_has_ended_takes_no_wishes(verb: str) -> None:
    worker = claimed()
    worker.completed()
    with pytest.raises(StaleTransition, match="already ended"):
        getattr(worker, verb)("mira")


def test_a_chunk_has_one_running_attempt() -> None:
    worker = claimed()
    attempt = Attempt.open(worker, worker.chunks.get())
    with pytest.raises(IntegrityError):
        Attempt.objects.create(
            chunk=attempt.chunk, number=2, incarnation=worker.incarnation, started_at=attempt.started_at
        )


def test_opening_an_attempt_whose_answer_was_lost_gives_the_one_that_was_opened() -> None:
    worker = claimed()
    attempt = Attempt.open(worker, worker.chunks.get())
    assert Attempt.open(worker, worker.chunks.get()) == attempt
    assert Attempt.objects.count() == 1


def test_only_passed_chunks_are_kept_by_a_worker_that_continues() -> None:
    first = claimed("true", "false", "true")
    attempt = Attempt.open(first, first.chunks.get(ordinal=1))
    attempt.close(first, AttemptStatus.PASSED, ChunkOutcome.PASSED)
    attempt = Attempt.open(first, first.chunks.get(ordinal=2))
    attempt.close(first, AttemptStatus.FAILED, ChunkOutcome.FAILED)
    first.fail(Reason.CHUNK_FAILED, "exit 1")
    from workers.models import accept

    second = accept(first.spec, slot=7, node=first.node, by="mira", continues=first)
    assert list(second.chunks.values_list("outcome", flat=True)) == ["passed", "pending", "pending"]
    assert second.passed == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "sleeping"},
        {"status": "completed"},
        {"slot": None},
        {"step": "dreaming"},
        {"epoch": 0},
        {"passed": 5},
        {"current": 2},
    ],
)
def test_the_database_refuses_nonsense(changes: dict[str, object]) -> None:
    worker = claimed()
    with pytest.raises(IntegrityError), transaction.atomic():
        Worker.objects.filter(pk=worker.pk).update(**changes)


def test_a_slot_has_one_active_worker() -> None:
    first = make.worker()
    with pytest.raises(IntegrityError):
        make.worker(slot=first.slot)


def test_a_spec_runs_once_at_a_time() -> None:
    first = make.worker()
    with pytest.raises(IntegrityError):
        make.worker(spec=first.spec)


def test_events_are_numbered_without_gaps_also_after_a_rollback() -> None:
    first = make.worker()
    with pytest.raises(IntegrityError):
        make.worker(spec=first.spec)
    make.worker()
    numbers = list(Event.objects.values_list("seq", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    assert latest_seq() == len(numbers)


def test_deleting_a_spec_is_refused_while_a_worker_runs_it() -> None:
    from specs.errors import SpecInUse

    worker = claimed()
    with pytest.raises(SpecInUse, match=f"Worker {worker.pk} runs it"):
        worker.spec.remove()
    worker.completed()
    worker.spec.remove()
    assert Worker.objects.get().title.startswith("Spec")
    assert WorkerChunk.objects.count() == 1


def test_the_stopwatch_stands_still_while_a_worker_is_paused() -> None:
    worker = claimed()
    assert worker.clock_end is None
    worker.paused()
    stood = Worker.objects.get()
    assert stood.clock_end == stood.paused_at
    worker.resumed()
    went_on = Worker.objects.get()
    assert went_on.clock_end is None
    assert went_on.clock_start == went_on.started_at + went_on.paused_for
    assert went_on.paused_for.total_seconds() > 0


def test_what_is_active_is_found_by_an_index() -> None:
    plan = Worker.objects.filter(IS_ACTIVE).order_by("slot").explain()
    assert "SCAN workers_worker" not in plan or "INDEX" in plan
