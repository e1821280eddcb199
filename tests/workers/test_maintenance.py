"""The safety nets of a node: heartbeats, leases, lost messages, silent nodes, and the loop that carries them."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError
from django.db.models.functions import Now
from django.utils import timezone

from queue_app import dispatch
from queue_app.models import WorkerQueue
from tests.support import make, processes
from tests.support.driving import LONG_AGO, aged, claimed, leftovers, now
from tests.support.wait import until
from workers import driving, launch, maintenance, pruning, publisher
from workers.maintenance import Caretaker
from workers.models import Attempt, Event, Node, Worker, latest_seq
from workers.states import AttemptStatus, NodeStatus, WorkerStatus
from workers.workspace import agent_data

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("owned")]


def found(node: Node) -> list[tuple[str, int, int]]:
    return [(job.__name__, pk, epoch) for job, pk, epoch in maintenance.find_work(node)]


# Heartbeats and leases


def test_a_heartbeat_reports_and_renews_the_leases_of_what_is_driven_here(owned: driving.Owned) -> None:
    node = make.node()
    mine, other = claimed(), claimed()
    for worker in (mine, other):
        aged(worker, lease_until=Now())
    before = now(mine).lease_until
    Node.objects.update(last_seen=timezone.now() - LONG_AGO)
    with owned.holding(mine.pk, mine.epoch):
        assert maintenance.heartbeat(node)
    assert now(mine).lease_until > before + timedelta(seconds=20)
    assert now(other).lease_until < before + timedelta(seconds=20)
    node.refresh_from_db()
    assert timezone.now() - node.last_seen < timedelta(seconds=20)
    assert node.memory > 0


def test_a_fenced_owner_renews_nothing(owned: driving.Owned) -> None:
    node = make.node()
    worker = claimed()
    assert Worker.adopt(worker.pk, worker.epoch)
    aged(worker, lease_until=None)
    with owned.holding(worker.pk, worker.epoch):
        maintenance.heartbeat(node)
    assert now(worker).lease_until is None


def test_a_process_that_no_longer_speaks_for_its_node_steps_down(owned: driving.Owned) -> None:
    heard = []
    caretaker = Caretaker("test-node", superseded=lambda: heard.append(True))
    caretaker.run_once()
    maintenance.register("test-node")
    worker = aged(make.worker(), created_at=timezone.now() - LONG_AGO)
    caretaker._next_heartbeat = 0
    caretaker.run_once()
    assert heard == [True]
    assert owned.superseded.is_set()
    assert now(worker).status == WorkerStatus.IDLE
    caretaker.drain()
    assert Node.objects.get().status == NodeStatus.ONLINE  # the other process's word


def test_a_node_that_was_taken_for_lost_is_online_again_with_its_next_heartbeat() -> None:
    node = make.node()
    Node.objects.update(status=NodeStatus.OFFLINE)
    assert maintenance.heartbeat(node)
    assert Node.objects.get().status == NodeStatus.ONLINE
    assert Event.objects.get(seq=latest_seq()).kind == "node_online"
    seq = latest_seq()
    assert maintenance.heartbeat(node)
    assert latest_seq() == seq


# What a lost message leaves behind


def test_an_accepted_worker_is_taken_up_when_its_message_is_late() -> None:
    node = make.node()
    worker = make.worker()
    assert found(node) == []
    aged(worker, created_at=timezone.now() - timedelta(seconds=1.1))
    assert found(node) == [("run", worker.pk, 1)]


def test_a_running_worker_that_nobody_here_drives_is_adopted(owned: driving.Owned) -> None:
    node = make.node()
    worker = claimed()
    assert found(node) == [("adopt", worker.pk, 1)]
    with owned.holding(worker.pk, worker.epoch):
        assert found(node) == []


def test_ended_workers_and_those_of_other_nodes_are_left_alone() -> None:
    node, other = make.node(), make.node("other-node")
    aged(claimed(), created_at=timezone.now() - LONG_AGO).completed()
    theirs = aged(claimed(), created_at=timezone.now() - LONG_AGO, node=other)
    assert found(node) == []
    assert found(other) == [("adopt", theirs.pk, 1)]


def test_a_process_that_no_longer_speaks_for_its_node_finds_nothing() -> None:
    node = make.node()
    aged(claimed(), created_at=timezone.now() - LONG_AGO)
    assert len(found(node)) == 1
    maintenance.register(node.name)
    assert found(node) == []


@pytest.mark.usefixtures("launcher")
def test_what_a_node_accepts_for_itself_is_claimed_by_that_and_driven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "_drivers", {"test-node": driving.begin})
    worker = make.worker("echo once >> log", project=make.project(tmp_path))
    assert (worker.status, worker.incarnation) == (WorkerStatus.RUNNING, 1)
    until(lambda: now(worker).status == WorkerStatus.COMPLETED, what="it is driven to its end")
    assert now(worker).epoch == 1
    assert processes.lines(tmp_path / "log") == ["once"]
    assert leftovers(worker) == []


@pytest.mark.usefixtures("launcher")
def test_work_whose_message_was_lost_is_done(tmp_path: Path) -> None:
    node = make.node()
    worker = make.worker("echo once >> log", project=make.project(tmp_path))
    aged(worker, created_at=timezone.now() - LONG_AGO)
    for _ in range(5):
        maintenance.take_up(node)
    until(lambda: now(worker).status == WorkerStatus.COMPLETED, what="it is driven to its end")
    assert processes.lines(tmp_path / "log") == ["once"]
    assert leftovers(worker) == []


def test_an_entry_whose_wake_up_was_lost_starts_with_the_next_round() -> None:
    caretaker = Caretaker("test-node")
    caretaker.run_once()
    dispatch.set_limit(1, by="mira")
    entry = dispatch._add(make.spec(), "mira", timezone.now())
    caretaker.run_once()
    assert not WorkerQueue.objects.filter(pk=entry.pk).exists()
    assert Worker.objects.get().status == WorkerStatus.IDLE


def test_work_that_waits_for_a_thread_is_not_taken_up_again(
    owned: driving.Owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, worker = make.node(), aged(claimed(), created_at=timezone.now() - LONG_AGO)
    submitted: list[int] = []
    monkeypatch.setattr(driving.pool, "submit", lambda job, drive, pk, epoch: submitted.append(pk))
    for _ in range(3):
        maintenance.take_up(node)
    assert submitted == [worker.pk]


# The outbox


def test_old_events_are_forgotten_and_numbers_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "EVENTS_AT_ONCE", 3)
    for _ in range(5):
        make.worker()
    old = Event.objects.filter(seq__lte=5)
    old.update(at=timezone.now() - timedelta(days=8))
    before = latest_seq()
    assert [pruning.prune_events() for _ in range(3)] == [3, 2, 0]
    assert list(Event.objects.values_list("seq", flat=True)) == list(range(6, before + 1))
    make.worker()
    assert latest_seq() == before + 3  # a project and a spec were written, a worker accepted


def test_the_caretaker_forgets_old_events() -> None:
    make.worker()
    Event.objects.update(at=timezone.now() - timedelta(days=8))
    Caretaker("test-node").run_once()
    assert not Event.objects.filter(at__lt=timezone.now() - timedelta(days=1)).exists()


def test_old_journals_are_removed_and_others_stay() -> None:
    old, recent, active = claimed(), claimed(), claimed()
    for worker in (old, recent):
        worker.completed()
    aged(old, completed_at=timezone.now() - timedelta(days=8))
    runs = [launch.Run(worker.folder, 1).directory for worker in (old, recent, active)]
    for directory in runs:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "journal.ndjson").touch()
    pruning.remove_all(pruning.old_runs())
    assert [directory.exists() for directory in runs] == [False, True, True]


def test_what_agents_have_stored_is_removed_and_where_they_are_signed_in_stays(tmp_path: Path) -> None:
    old, recent = claimed(), claimed()
    for worker in (old, recent):
        worker.completed()
        agent_data(worker.folder).mkdir(parents=True)
    login = tmp_path / "auth.json"
    login.write_text("{}")
    (agent_data(old.folder) / "auth.json").symlink_to(login)
    aged(old, completed_at=timezone.now() - timedelta(days=8))
    pruning.remove_all(pruning.old_runs())
    assert [agent_data(worker.folder).exists() for worker in (old, recent)] == [False, True]
    assert login.exists()


def test_a_node_is_heard_of_while_much_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    old = claimed()
    old.completed()
    aged(old, completed_at=timezone.now() - timedelta(days=8))
    place = agent_data(old.folder)
    place.mkdir(parents=True)
    (place / "module").touch()
    place.chmod(0o500)
    begun, gate = threading.Event(), threading.Event()
    real = pruning.remove_tree

    def slow(path: Path) -> None:
        begun.set()
        gate.wait(30)
        real(path)

    monkeypatch.setattr(pruning, "remove_tree", slow)
    caretaker = Caretaker("test-node")
    for _ in range(2):
        caretaker._next_pruning = caretaker._next_heartbeat = 0.0
        Node.objects.update(last_seen=Now() - LONG_AGO)
        caretaker.run_once()
        assert not Node.silent().exists()
    assert begun.wait(5)
    assert place.exists()
    gate.set()
    until(lambda: not place.exists(), what="it is removed")


# The loop


@pytest.mark.parametrize("error", [OperationalError("gone"), KeyError("a defect")])
def test_the_loop_goes_on_after_an_error(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = maintenance.register, []

    def register(name: str) -> Node:
        calls.append(name)
        if len(calls) == 1:
            raise error
        return real(name)

    monkeypatch.setattr(maintenance, "register", register)
    caretaker = Caretaker("test-node")
    caretaker.start()
    try:
        until(lambda: Node.objects.filter(name="test-node").exists(), 5, "it registers at the second try")
    finally:
        caretaker.drain()
    assert len(calls) == 2
    assert Node.objects.get().status == NodeStatus.OFFLINE  # it has said goodbye


@pytest.mark.usefixtures("launcher")
def test_draining_lets_everything_go_uncharged_and_unregisters(tmp_path: Path, owned: driving.Owned) -> None:
    caretaker = Caretaker("test-node")
    caretaker.run_once()
    worker = make.worker(f"echo begun >> {tmp_path}/log; sleep 60", project=make.project(tmp_path))
    aged(worker, created_at=timezone.now() - LONG_AGO)
    caretaker.run_once()
    until(lambda: processes.lines(tmp_path / "log"), what="it runs")
    caretaker.drain()
    assert owned.all() == {}
    assert now(worker).status == WorkerStatus.RUNNING
    assert Attempt.objects.get().status == AttemptStatus.INTERRUPTED
    assert Node.objects.get().status == NodeStatus.OFFLINE
    caretaker.run_once()
    assert owned.all() == {}
