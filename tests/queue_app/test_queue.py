"""The order of the queue, who may start and why an entry waits."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from queue_app import dispatch, ordering
from queue_app.errors import AlreadyRunning, AlreadyWaiting, BadPlace, BadValue, NothingToDo
from queue_app.models import WorkerQueue, Yard
from queue_app.waiting import Cause, Situation, why
from specs.errors import SpecInUse
from specs.models import Spec
from tests.support import make
from workers.errors import StaleTransition
from workers.models import Event, Node, Worker
from workers.states import Reason, WorkerStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def node() -> Node:
    return make.node()


@pytest.fixture
def shut() -> None:
    """Nothing starts."""
    dispatch.set_limit(0, by="mira")


def wait(count: int, **fields: int) -> list[WorkerQueue]:
    found = [dispatch.enqueue(make.spec(), by="mira", **fields) for _ in range(count)]
    assert all(isinstance(entry, WorkerQueue) for entry in found)
    return found


def order() -> list[int]:
    return list(WorkerQueue.objects.values_list("pk", flat=True))


def cause(entry: WorkerQueue) -> Cause | None:
    situation = Situation.read(Yard.current(), timezone.now())
    situation.learn([entry])
    found = why(entry, situation)
    return found.cause if found else None


def test_a_spec_starts_at_once_while_a_slot_is_free() -> None:
    worker = dispatch.enqueue(make.spec(), by="mira")
    assert isinstance(worker, Worker)
    assert (worker.slot, worker.created_by) == (1, "mira")
    assert not WorkerQueue.objects.exists()


@pytest.mark.parametrize("ran_before", [False, True])
def test_an_entry_that_somebody_takes_out_at_once_is_not_taken_for_a_worker(
    ran_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make.spec()
    if ran_before:
        earlier = dispatch.enqueue(spec, by="mira")
        assert isinstance(earlier, Worker)
        earlier.request_stop("mira")
    monkeypatch.setattr(dispatch, "fill_slots", lambda: dispatch.remove(WorkerQueue.objects.get().pk, by="ada"))
    assert isinstance(dispatch.enqueue(spec, by="mira"), WorkerQueue)
    assert not WorkerQueue.objects.exists()


def test_a_spec_waits_when_every_slot_is_in_use() -> None:
    dispatch.set_limit(1, by="mira")
    dispatch.enqueue(make.spec(), by="mira")
    entry = dispatch.enqueue(make.spec(), by="mira")
    assert isinstance(entry, WorkerQueue)
    assert cause(entry) == Cause.SLOTS_FULL


def test_the_next_entry_starts_when_a_slot_is_freed() -> None:
    dispatch.set_limit(1, by="mira")
    first = dispatch.enqueue(make.spec(), by="mira")
    second = dispatch.enqueue(make.spec(), by="mira")
    assert isinstance(first, Worker)
    first.request_stop("mira")
    assert Worker.objects.get(spec=second.spec).slot == 1


def test_higher_priority_starts_first_then_the_longer_wait(shut: None) -> None:
    low, high, second_high = wait(1)[0], wait(1, priority=5)[0], wait(1, priority=5)[0]
    assert order() == [high.pk, second_high.pk, low.pk]
    dispatch.set_limit(1, by="mira")
    assert Worker.objects.get().spec == high.spec


def test_moving_writes_one_row(shut: None) -> None:
    entries = wait(5)
    before = dict(WorkerQueue.objects.values_list("pk", "rank"))
    ordering.move(entries[4].pk, "mira", before=entries[1].pk)
    assert order() == [entries[i].pk for i in (0, 4, 1, 2, 3)]
    after = dict(WorkerQueue.objects.values_list("pk", "rank"))
    assert [pk for pk in before if before[pk] != after[pk]] == [entries[4].pk]


@pytest.mark.parametrize("source", range(6))
@pytest.mark.parametrize("target", range(6))
@pytest.mark.parametrize("side", ["before", "after"])
def test_every_move_ends_beside_its_neighbour(shut: None, source: int, target: int, side: str) -> None:
    entries = [*wait(2, priority=5), *wait(2, priority=0), *wait(2, priority=-5)]
    if source == target:
        with pytest.raises(BadPlace):
            ordering.move(entries[source].pk, "mira", **{side: entries[target].pk})
        return
    ordering.move(entries[source].pk, "mira", **{side: entries[target].pk})
    expected = [entry.pk for entry in entries if entry != entries[source]]
    expected.insert(expected.index(entries[target].pk) + (side == "after"), entries[source].pk)
    assert order() == expected


def test_a_row_dropped_among_others_takes_their_priority(shut: None) -> None:
    high = wait(2, priority=5)
    low = wait(1)[0]
    moved = ordering.move(low.pk, "mira", before=high[1].pk)
    assert moved.priority == 5
    assert Event.objects.latest("seq").data["priority_changed"] is True


def test_a_thousand_moves_keep_ranks_short_enough(shut: None) -> None:
    entries = wait(4)
    for _ in range(500):
        ordering.move(order()[3], "mira", before=order()[1])
    assert sorted(order()) == sorted(entry.pk for entry in entries)
    assert max(len(rank) for rank in WorkerQueue.objects.values_list("rank", flat=True)) < 500


def test_top_and_bottom(shut: None) -> None:
    high, low = wait(1, priority=5)[0], wait(2)
    ordering.move_to_top(low[1].pk, "mira")
    assert order() == [low[1].pk, high.pk, low[0].pk]
    ordering.move_to_bottom(low[1].pk, "mira")
    assert order() == [high.pk, low[0].pk, low[1].pk]


def test_moving_beside_an_entry_that_is_gone_changes_nothing(shut: None) -> None:
    entries = wait(2)
    dispatch.remove(entries[1].pk, "mira")
    with pytest.raises(BadPlace):
        ordering.move(entries[0].pk, "mira", before=entries[1].pk)
    with pytest.raises(WorkerQueue.DoesNotExist):
        ordering.move(entries[1].pk, "mira", before=entries[0].pk)


@pytest.mark.parametrize("priority", [-101, 101, 10**9])
def test_a_priority_out_of_range_is_refused_by_name(shut: None, priority: int) -> None:
    with pytest.raises(BadValue, match="priority"):
        dispatch.enqueue(make.spec(), by="mira", priority=priority)
    assert not WorkerQueue.objects.exists()


@pytest.mark.parametrize("limit", [-1, 1001])
def test_a_limit_out_of_range_is_refused_by_name(limit: int) -> None:
    with pytest.raises(BadValue, match="limit"):
        dispatch.set_limit(limit, by="mira")
    assert Yard.current().limit == 5


def test_a_spec_is_never_queued_twice_and_never_runs_twice(shut: None) -> None:
    entry = wait(1)[0]
    with pytest.raises(AlreadyWaiting):
        dispatch.enqueue(entry.spec, by="ines")
    dispatch.set_limit(1, by="mira")
    with pytest.raises(AlreadyRunning):
        dispatch.enqueue(entry.spec, by="ines")


def test_a_spec_without_chunks_is_refused() -> None:
    spec = make.spec()
    spec.chunks.all().delete()
    with pytest.raises(NothingToDo):
        dispatch.enqueue(spec, by="mira")


def test_a_paused_queue_starts_nothing_and_says_so() -> None:
    dispatch.pause_queue("mira")
    entry = dispatch.enqueue(make.spec(), by="mira")
    assert isinstance(entry, WorkerQueue)
    assert cause(entry) == Cause.QUEUE_PAUSED
    dispatch.resume_queue("mira")
    assert Worker.objects.get().spec == entry.spec


def test_an_entry_waits_for_its_time() -> None:
    entry = dispatch.enqueue(make.spec(), by="mira", not_before=timezone.now() + timedelta(hours=1))
    assert isinstance(entry, WorkerQueue)
    assert cause(entry) == Cause.NOT_BEFORE
    WorkerQueue.objects.update(not_before=timezone.now())
    assert len(dispatch.fill_slots()) == 1


def test_a_full_project_lets_others_pass() -> None:
    project = make.project(max_workers=1)
    dispatch.enqueue(make.spec(project=project), by="mira")
    waiting = dispatch.enqueue(make.spec(project=project), by="mira")
    assert isinstance(waiting, WorkerQueue)
    assert cause(waiting) == Cause.PROJECT_LIMIT
    assert isinstance(dispatch.enqueue(make.spec(), by="mira"), Worker)


def test_blocked_entries_do_not_hide_those_far_behind_them() -> None:
    project = make.project(max_workers=1)
    dispatch.set_limit(0, by="mira")
    for _ in range(30):
        dispatch.enqueue(make.spec(project=project), by="mira")
    last = dispatch.enqueue(make.spec(), by="mira")
    dispatch.set_limit(2, by="mira")
    assert Worker.objects.filter(spec=last.spec).exists()


def queries(fill: Callable[[], list[Worker]]) -> tuple[int, int]:
    """(workers started, queries asked)."""
    with CaptureQueriesContext(connection) as asked:
        started = fill()
    return len(started), len(asked)


@pytest.mark.parametrize("blocked_by", ["time", "project"])
def test_looking_past_many_that_cannot_start_costs_little(shut: None, blocked_by: str) -> None:
    full = make.project(max_workers=1)
    make.worker(spec=make.spec(project=full))
    later = timezone.now() + timedelta(hours=1)
    for _ in range(120):
        spec = make.spec(project=full) if blocked_by == "project" else make.spec()
        dispatch.enqueue(spec, by="mira", not_before=later if blocked_by == "time" else None)
    dispatch._set_limit(2, by="mira")
    started, asked = queries(dispatch.fill_slots)
    assert (started, asked < 12) == (0, True)
    behind = dispatch._add(make.spec(), "mira", timezone.now())
    started, asked = queries(dispatch.fill_slots)
    assert (started, asked < 25) == (1, True)
    assert not WorkerQueue.objects.filter(pk=behind.pk).exists()


def test_a_full_machine_is_not_asked_about_each_entry(shut: None, node: Node) -> None:
    wait(60)
    Node.objects.filter(pk=node.pk).update(max_workers=0)
    dispatch._set_limit(50, by="mira")
    started, asked = queries(dispatch.fill_slots)
    assert (started, asked < 8) == (0, True)


def test_adding_again_after_a_lost_answer_gives_the_same_entry(shut: None) -> None:
    spec, at = make.spec(), timezone.now()
    first = dispatch._add(spec, "mira", at)
    assert dispatch._add(spec, "mira", at) == first
    assert Event.objects.filter(data__action="added").count() == 1
    for by, when in (("noor", at), ("mira", timezone.now())):
        with pytest.raises(AlreadyWaiting):
            dispatch._add(spec, by, when)


def test_without_a_node_nothing_starts(node: Node) -> None:
    node.unregister()
    entry = dispatch.enqueue(make.spec(), by="mira")
    assert isinstance(entry, WorkerQueue)
    assert cause(entry) == Cause.NO_NODE


def test_a_node_that_lacks_the_executor_is_not_chosen(node: Node) -> None:
    spec = make.spec()
    spec.chunks.update(executor="docker")
    entry = dispatch.enqueue(spec, by="mira")
    assert isinstance(entry, WorkerQueue)
    assert cause(entry) == Cause.NO_NODE


def test_lowering_the_limit_evicts_nobody_and_starts_nobody() -> None:
    workers = [dispatch.enqueue(make.spec(), by="mira") for _ in range(3)]
    dispatch.set_limit(1, by="mira")
    entry = dispatch.enqueue(make.spec(), by="mira")
    workers[2].request_stop("mira")
    assert Worker.objects.filter(status=WorkerStatus.IDLE).count() == 2
    assert WorkerQueue.objects.get() == entry


def test_deleting_a_waiting_spec_is_refused(shut: None) -> None:
    entry = wait(1)[0]
    with pytest.raises(SpecInUse, match="queue"):
        entry.spec.remove()
    assert Spec.objects.filter(pk=entry.spec_id).exists()


def test_requeue_stops_the_worker_and_waits_again() -> None:
    dispatch.set_limit(1, by="mira")
    worker = dispatch.enqueue(make.spec(), by="mira")
    dispatch.pause_queue("mira")
    dispatch.requeue(worker, "mira")
    worker.refresh_from_db()
    assert (worker.status, worker.reason) == (WorkerStatus.STOPPED, Reason.REQUEUED)
    assert WorkerQueue.objects.get().continues == worker


def test_requeue_of_a_running_worker_starts_again_only_when_it_has_ended() -> None:
    worker = dispatch.enqueue(make.spec(), by="mira")
    claimed = Worker.claim(worker.pk, 1)
    assert claimed
    dispatch.requeue(worker, "mira")
    assert cause(WorkerQueue.objects.get()) == Cause.SPEC_ACTIVE
    claimed.stopped("mira", Reason.REQUEUED)
    assert Worker.objects.filter(status=WorkerStatus.IDLE, continues=worker).exists()


def test_only_what_failed_or_was_stopped_can_be_retried() -> None:
    worker = dispatch.enqueue(make.spec(), by="mira")
    with pytest.raises(StaleTransition):
        dispatch.retry(worker, "mira")
    claimed = Worker.claim(worker.pk, 1)
    assert claimed
    claimed.fail(Reason.CHUNK_FAILED, "exit 1")
    worker.refresh_from_db()
    again = dispatch.retry(worker, "mira")
    assert isinstance(again, Worker)
    assert again.continues == worker
    Worker.claim(again.pk, 1)
    again.refresh_from_db()
    again.fail(Reason.CHUNK_FAILED, "exit 1")
    with pytest.raises(StaleTransition, match=f"Worker {again.pk} has continued"):
        dispatch.retry(worker, "mira")


def test_filling_costs_the_same_whatever_waits(shut: None) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            dispatch.fill_slots()
        return len(queries)

    wait(3)
    few = cost()
    wait(20)
    assert cost() == few
