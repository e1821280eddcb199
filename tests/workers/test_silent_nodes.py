"""Nodes that are heard of no more, have said goodbye, or come back: what becomes of their work."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from tests.support import make
from tests.support.driving import LONG_AGO, aged, claimed, now, outcomes
from workers import launch, maintenance
from workers.errors import LauncherUnavailable
from workers.models import Attempt, Event, Node, Worker, latest_seq
from workers.states import AttemptStatus, NodeStatus, Reason, WorkerStatus

pytestmark = pytest.mark.django_db(transaction=True)


def silent_node(*, last_seen: timedelta = LONG_AGO, **fields: Any) -> Node:
    node = make.node("silent-node", **fields)
    Node.objects.filter(pk=node.pk).update(last_seen=Now() - last_seen)
    return node


def test_a_silent_node_is_marked_once() -> None:
    make.node()
    silent_node()
    for _ in range(2):
        maintenance.find_silent()
    assert dict(Node.objects.values_list("name", "status")) == {"test-node": "online", "silent-node": "silent"}
    assert [event.data for event in Event.objects.filter(kind="node_offline")] == [{"node": "silent-node"}]


def test_a_node_that_is_quiet_for_a_moment_is_not_silent() -> None:
    silent_node(last_seen=timedelta(seconds=45))
    maintenance.find_silent()
    assert Node.objects.get().status == NodeStatus.ONLINE


def test_a_node_that_reports_in_while_it_is_looked_for_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    silent_node()
    silent = Node.silent

    def silent_until_now() -> list[Node]:
        monkeypatch.undo()
        found = list(silent())
        Node.objects.update(last_seen=Now())
        return found

    monkeypatch.setattr(Node, "silent", silent_until_now)
    assert Node.mark_silent() == []
    assert Node.objects.get().status == NodeStatus.ONLINE
    assert not Event.objects.filter(kind="node_offline").exists()


def test_a_drained_node_that_was_silent_for_a_while_takes_no_work_when_it_is_back() -> None:
    node = make.node()
    node.request_drain("mira")
    Node.objects.update(last_seen=Now() - LONG_AGO)
    maintenance.find_silent()
    assert Node.objects.get().status == NodeStatus.SILENT
    assert maintenance.heartbeat(node)
    assert Node.objects.get().status == NodeStatus.DRAINING
    assert Event.objects.get(seq=latest_seq()).kind == "node_draining"
    node.request_return("mira")
    Node.objects.update(last_seen=Now() - LONG_AGO)
    maintenance.find_silent()
    assert maintenance.heartbeat(node)
    assert Node.objects.get().status == NodeStatus.ONLINE


def test_the_next_start_of_a_drained_node_takes_work() -> None:
    make.node().request_drain("mira")
    Node.objects.update(status=NodeStatus.SILENT)
    node = make.node()
    Node.objects.update(status=NodeStatus.SILENT)
    assert maintenance.heartbeat(node)
    assert Node.objects.get().status == NodeStatus.ONLINE


def test_the_work_of_a_silent_node_is_given_up_and_its_slot_is_free() -> None:
    make.node()
    worker = claimed("true", "true")
    Attempt.open(worker, worker.chunks.get(ordinal=1))
    aged(worker, node=silent_node(), lease_until=Now() - LONG_AGO)
    maintenance.find_silent()
    ended = now(worker)
    assert (ended.status, ended.reason, ended.slot) == (WorkerStatus.FAILED, Reason.NODE_LOST, None)
    assert ended.error == "The node silent-node went silent."
    assert ended.epoch == 2  # whoever drove it can write no more
    assert Attempt.objects.get().status == AttemptStatus.LOST
    assert outcomes(worker) == ["pending", "pending"]


def test_a_worker_that_a_silent_node_never_claimed_is_given_up_too() -> None:
    make.node()
    worker = make.worker()
    node = silent_node()
    aged(worker, node=node)
    maintenance.find_silent()
    assert now(worker).status == WorkerStatus.IDLE
    aged(worker, created_at=timezone.now() - LONG_AGO)
    maintenance.find_silent()
    assert (now(worker).status, now(worker).reason) == (WorkerStatus.FAILED, Reason.NODE_LOST)
    assert Worker.claim(worker.pk, worker.epoch) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"lease_until": Now() - timedelta(seconds=45)},  # its lease is not over for long enough
        {"node__last_seen": Now() - timedelta(seconds=45)},  # its node has been heard
    ],
    ids=["lease", "node"],
)
def test_work_is_not_given_up_too_early(changes: dict[str, Any]) -> None:
    make.node()
    node = silent_node(status=NodeStatus.SILENT)
    worker = aged(claimed(), node=node, lease_until=Now() - LONG_AGO)
    if "node__last_seen" in changes:
        Node.objects.filter(pk=node.pk).update(last_seen=changes["node__last_seen"])
    else:
        aged(worker, **changes)
    maintenance.find_silent()
    assert now(worker).status == WorkerStatus.RUNNING


def test_a_worker_that_ends_while_it_is_given_up_keeps_its_end() -> None:
    worker = claimed()
    stale = now(worker)
    worker.completed()
    maintenance.give_up(stale)
    assert now(worker).status == WorkerStatus.COMPLETED


def test_the_work_of_a_node_that_said_goodbye_waits_for_its_return() -> None:
    make.node()
    worker = aged(claimed(), node=silent_node(status=NodeStatus.OFFLINE), lease_until=Now() - LONG_AGO)
    maintenance.find_silent()
    assert now(worker).status == WorkerStatus.RUNNING


def test_a_stop_needs_no_return_of_the_node() -> None:
    make.node()
    worker = aged(claimed(), node=silent_node(status=NodeStatus.OFFLINE), lease_until=Now() - LONG_AGO)
    worker.request_stop("mira")
    maintenance.find_silent()
    ended = now(worker)
    assert (ended.status, ended.reason, ended.error) == (WorkerStatus.STOPPED, Reason.STOPPED, "Stopped by mira.")


@pytest.mark.usefixtures("launcher")
def test_a_node_that_comes_back_ends_the_runner_of_work_that_was_given_up(tmp_path: Path) -> None:
    node = make.node()
    worker = claimed("true", project=make.project(tmp_path))
    run = launch.Run(worker.folder, worker.incarnation)
    launch.start(run).close()
    assert run.id not in maintenance.end_unwanted_runs(node)  # its worker is active here
    worker.fail(Reason.NODE_LOST, "given up by another node")
    assert maintenance.end_unwanted_runs(node) == [run.id]
    assert run.id not in launch.ping()["runs"]


@pytest.mark.usefixtures("launcher")
def test_a_run_that_cannot_be_ended_does_not_keep_the_node_from_its_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    node = make.node()
    worker = claimed("true")
    launch.start(launch.Run(worker.folder, worker.incarnation)).close()
    worker.fail(Reason.NODE_LOST, "given up by another node")

    def refuse(run: launch.Run, epoch: int | None) -> None:
        raise LauncherUnavailable("still alive: 1")

    monkeypatch.setattr(launch, "destroy", refuse)
    assert maintenance.heartbeat(node)
