"""Machines, and that draining one really keeps work away from it."""

import pytest
from django.test import Client

from queue_app import dispatch
from queue_app.models import WorkerQueue
from tests.api.conftest import Call, caller
from tests.support import make
from workers.models import Node, Worker
from workers.states import NodeStatus

pytestmark = pytest.mark.django_db


def test_a_node_tells_what_it_offers_and_does(call: Call, running: Worker) -> None:
    [shown] = call("get", "/nodes").json()["items"]
    assert (shown["name"], shown["status"], shown["active"]) == ("test-node", "online", 1)
    assert "command" in shown["executors"]
    assert "executors" not in shown["capabilities"]
    assert call("get", f"/nodes/{shown['id']}").json()["name"] == "test-node"


def test_a_drained_node_gets_nothing_new_until_it_is_taken_back(admin: Client, running: Worker) -> None:
    call, node = caller(admin), running.node
    for _ in range(2):
        reply = call("post", f"/nodes/{node.pk}/drain")
        assert (reply.status_code, reply.json()["status"], reply.json()["active"]) == (202, "draining", 1)
    node.heartbeat(load=0.1, memory=1.0)  # it is still there, and still drained
    waits = call("post", "/workers", {"spec": make.spec().pk})
    assert (waits.status_code, waits.json()["waits"]["cause"]) == (202, "no_node")
    running.completed()  # what ran goes on to its end, and frees nothing for others
    assert dispatch.fill_slots() == []
    reply = call("post", f"/nodes/{node.pk}/resume")
    assert (reply.status_code, reply.json()["status"]) == (202, "online")
    dispatch.fill_slots()
    assert not WorkerQueue.objects.exists()


def test_what_waits_starts_when_its_node_is_taken_back(
    admin: Client, node: Node, django_capture_on_commit_callbacks
) -> None:
    call = caller(admin)
    call("post", f"/nodes/{node.pk}/drain")
    call("post", "/workers", {"spec": make.spec().pk})
    with django_capture_on_commit_callbacks(execute=True):
        call("post", f"/nodes/{node.pk}/resume")
    assert not WorkerQueue.objects.exists()


@pytest.mark.parametrize("status", [NodeStatus.OFFLINE, NodeStatus.SILENT])
def test_a_node_that_is_not_there_is_neither_drained_nor_taken_back(
    admin: Client, node: Node, status: NodeStatus
) -> None:
    Node.objects.update(status=status)
    for verb in ("drain", "resume"):
        reply = caller(admin)("post", f"/nodes/{node.pk}/{verb}")
        assert (reply.status_code, reply.json()["current"]) == (409, status)
    assert Node.objects.get().status == status


def test_operators_do_not_drain(call: Call, node: Node) -> None:
    reply = call("post", f"/nodes/{node.pk}/drain")
    assert (reply.status_code, reply.json()["detail"]) == (403, "Only administrators may do this.")
    assert Node.objects.get().status == NodeStatus.ONLINE
