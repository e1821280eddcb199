"""What programs read of workers, and what they ask of them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.api.queue_shapes import begun
from queue_app import dispatch
from queue_app.errors import RemovedAgain
from queue_app.models import WorkerQueue, Yard
from tests.api.conftest import Call
from tests.support import make
from workers.models import Attempt, Node, Worker
from workers.states import Reason, Wish, WorkerStatus

pytestmark = pytest.mark.django_db


def claimed(*commands: str, **fields: Any) -> Worker:
    accepted = make.worker(*commands, **fields)
    found = Worker.claim(accepted.pk, accepted.epoch)
    assert found is not None
    return found


def ended(status: str = "completed", ago: int = 0, **fields: Any) -> Worker:
    worker = claimed(**fields)
    worker.fail(Reason.CHUNK_FAILED, "no") if status == "failed" else worker.completed()
    if status == "stopped":
        Worker.objects.filter(pk=worker.pk).update(status=status)
    Worker.objects.filter(pk=worker.pk).update(completed_at=timezone.now() - timedelta(minutes=ago))
    return worker


def ids(call: Call, **query: Any) -> list[int]:
    reply = call("get", "/workers", **query)
    assert reply.status_code == 200, reply.content
    return [item["id"] for item in reply.json()["items"]]


def every_page(call: Call, path: str, **query: Any) -> list[int]:
    found, after = [], ""
    while True:
        content = call("get", path, after=after, **query).json()
        found += [item["id"] for item in content["items"]]
        if content["next"] is None:
            return found
        after = content["next"]


def test_a_worker_has_all_that_its_page_shows(call: Call, node: Node) -> None:
    worker = claimed("echo one", "echo two")
    attempt = Attempt.open(worker, worker.chunks.get(ordinal=1))
    attempt.output(worker, 4, 1, "one")
    shown = call("get", f"/workers/{worker.pk}").json()
    assert shown["chunk"] == {"ordinal": 1, "title": "Chunk 1"}
    assert shown["progress"] == {"current": 1, "total": 2, "passed": 0, "failed": 0, "skipped": 0}
    assert shown["project"] == {"id": worker.project_id, "name": worker.project.name}
    known = ("status", "desired", "step", "spec", "slot", "node", "last_line", "attention", "reason", "continues")
    assert {name: shown[name] for name in known} == {
        "status": "running",
        "desired": "run",
        "step": "executing",
        "spec": worker.spec_id,
        "slot": worker.slot,
        "node": "test-node",
        "last_line": "one",
        "attention": "",
        "reason": "",
        "continues": None,
    }
    assert shown["started_at"].endswith("Z")
    assert shown["duration"] >= 0
    assert (shown["completed_at"], shown["paused_at"], shown["removed"]) == (None, None, False)


def test_a_worker_that_does_not_exist_is_named(call: Call) -> None:
    reply = call("get", "/workers/4711")
    assert (reply.status_code, reply.json()["detail"]) == (404, "There is no worker 4711.")


def test_active_workers_come_by_slot_then_the_latest_that_ended(call: Call, node: Node) -> None:
    old, late = ended(ago=10), ended(ago=1)
    second, first = make.worker(slot=2), make.worker(slot=1)
    wanted = [first.pk, second.pk, late.pk, old.pk]
    assert ids(call) == wanted
    for limit in (1, 2, 3):
        assert every_page(call, "/workers", limit=limit) == wanted


def test_workers_that_ended_at_the_same_moment_are_each_listed_once(call: Call, node: Node) -> None:
    made = [ended().pk for _ in range(5)]
    Worker.objects.update(completed_at=timezone.now())
    assert every_page(call, "/workers", limit=2) == made[::-1]
    assert every_page(call, "/workers", limit=2, status="completed") == made[::-1]


def test_the_filters(call: Call, node: Node) -> None:
    done, failed = ended(ago=30), ended("failed", ago=20)
    stopped = ended("stopped", ago=10)
    active = claimed()
    make.question(make.agents_worker())
    asking = Worker.objects.exclude(attention="").get()
    assert ids(call, status="failed") == [failed.pk]
    reply = call("get", "/workers?status=stopped&status=completed")
    assert [item["id"] for item in reply.json()["items"]] == [stopped.pk, done.pk]
    assert set(ids(call, status="running")) == {active.pk, asking.pk}
    assert ids(call, project=failed.project_id) == [failed.pk]
    assert ids(call, spec=failed.spec_id, status="failed") == [failed.pk]
    assert ids(call, spec=failed.spec_id, status="stopped") == []
    assert ids(call, attention="true") == [asking.pk]
    assert set(ids(call, attention="false")) == {done.pk, failed.pk, stopped.pk, active.pk}
    since = (timezone.now() - timedelta(minutes=25)).isoformat()
    assert set(ids(call, since=since)) == {failed.pk, stopped.pk, active.pk, asking.pk}
    assert ids(call, until=since) == [done.pk]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "201"),
        ("limit", "NaN"),
        ("after", "nonsense"),
        ("after", "slot-x"),
        ("status", "nonsense"),
        ("project", "0"),
        ("spec", "9" * 30),
        ("since", "yesterday"),
        ("since", "0001-01-01T00:00:00+14:00"),
        ("attention", "maybe"),
    ],
)
def test_what_makes_no_list_is_refused_by_name(call: Call, name: str, value: str) -> None:
    reply = call("get", "/workers", **{name: value})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"].split(".")[0] == name


def test_a_longer_list_asks_no_more(call: Call, node: Node) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert call("get", "/workers", limit=200).status_code == 200
        return len(captured)

    def grow(times: int) -> None:
        for _ in range(times):
            ended()
            worker = claimed()
            Attempt.open(worker, worker.chunks.get())

    grow(1)
    queries()
    few = queries()
    grow(5)
    assert queries() == few
    assert few <= 12


def test_a_run_that_starts_now_is_a_worker(call: Call, node: Node) -> None:
    spec = make.spec()
    reply = call("post", "/workers", {"spec": spec.pk})
    assert reply.status_code == 201, reply.content
    worker = Worker.objects.get()
    assert reply["Location"] == f"/api/workers/{worker.pk}"
    assert (reply.json()["id"], reply.json()["spec"], reply.json()["created_by"]) == (worker.pk, spec.pk, "mira")
    assert call("get", reply["Location"].removeprefix("/api")).status_code == 200


def test_a_run_that_has_to_wait_is_an_entry(call: Call, full_yard: Worker) -> None:
    spec = make.spec()
    reply = call("post", "/workers", {"spec": spec.pk, "priority": 7})
    assert reply.status_code == 202
    entry = WorkerQueue.objects.get()
    assert reply["Location"] == f"/api/queue/{entry.pk}"
    shown = reply.json()
    assert (shown["id"], shown["priority"], shown["place"]) == (entry.pk, 7, 1)
    assert (shown["waits"]["cause"], shown["waits"]["text"]) == ("slots_full", "Slots full (1/1)")


def test_what_is_removed_at_once_is_not_taken_for_an_earlier_worker(call: Call, full_yard: Worker) -> None:
    """Somebody else may remove the entry while the answer is made."""
    spec = make.spec()
    entry = dispatch.enqueue(spec, by="mira")
    Worker.objects.filter(pk=full_yard.pk).update(spec=spec, slot=None, status="completed", completed_at=timezone.now())
    assert dispatch.remove(entry.pk, "ada")
    with pytest.raises(RemovedAgain):
        begun(HttpRequest(), HttpResponse(), entry)


def test_a_run_that_is_not_possible_says_which_state_does_not_allow_it(call: Call, full_yard: Worker) -> None:
    reply = call("post", "/workers", {"spec": full_yard.spec_id})
    assert (reply.status_code, reply.json()["current"]) == (409, "running")
    spec = make.spec()
    call("post", "/workers", {"spec": spec.pk})
    reply = call("post", "/workers", {"spec": spec.pk})
    assert (reply.status_code, reply.json()["current"]) == (409, "waiting")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "spec"),
        ({"spec": 4711}, "spec"),
        ({"spec": "1"}, "spec"),
        ({"spec": True}, "spec"),
        ({"spec": 2**70}, "spec"),
        ({"spec": 1, "priority": 101}, "priority"),
        ({"spec": 1, "not_before": "soon"}, "not_before"),
        ({"spec": 1, "nonsense": 1}, "nonsense"),
        ([], ""),
        ("text", ""),
    ],
)
def test_a_run_that_is_badly_asked_for_names_the_field(call: Call, body: Any, field: str) -> None:
    reply = call("post", "/workers", body)
    assert reply.status_code == 422
    assert [error["field"] for error in reply.json()["errors"]] == [field]
    assert not WorkerQueue.objects.exists()


def test_wishes_can_be_repeated(call: Call, running: Worker) -> None:
    for verb, wish in (("pause", Wish.PAUSE), ("resume", Wish.RUN), ("stop", Wish.STOP)):
        for _ in range(2):
            reply = call("post", f"/workers/{running.pk}/{verb}")
            assert (reply.status_code, reply.json()["desired"]) == (202, wish)
    running.refresh_from_db()
    assert running.desired_by == "mira"


def test_a_wish_that_comes_too_late_names_the_state(call: Call, running: Worker) -> None:
    call("post", f"/workers/{running.pk}/stop")
    for verb in ("pause", "requeue"):
        reply = call("post", f"/workers/{running.pk}/{verb}")
        assert (reply.status_code, reply.json()["current"]) == (409, "stopping")
    running.refresh_from_db()
    running.stopped("mira")
    for verb in ("pause", "resume", "stop", "requeue"):
        reply = call("post", f"/workers/{running.pk}/{verb}")
        assert (reply.status_code, reply.json()["current"]) == (409, "stopped")


def test_a_worker_is_stopped_and_removed_and_its_history_stays(call: Call, running: Worker) -> None:
    for _ in range(2):
        reply = call("delete", f"/workers/{running.pk}")
        assert (reply.status_code, reply.json()["removed"], reply.json()["desired"]) == (202, True, "stop")
    running.refresh_from_db()
    running.stopped("mira")
    for _ in range(2):
        reply = call("delete", f"/workers/{running.pk}")
        assert (reply.status_code, reply.content) == (204, b"")
    assert call("get", f"/workers/{running.pk}").json()["status"] == "stopped"
    assert ids(call) == [running.pk]


def test_an_ended_worker_is_removed_at_once(call: Call, running: Worker) -> None:
    running.completed()
    assert call("delete", f"/workers/{running.pk}").status_code == 204
    running.refresh_from_db()
    assert running.removed


def test_requeue_puts_the_spec_back(call: Call, running: Worker) -> None:
    assert call("post", f"/workers/{running.pk}/requeue").status_code == 202
    assert WorkerQueue.objects.get().continues_id == running.pk


def test_retry_makes_a_worker_that_goes_on(call: Call, running: Worker) -> None:
    running.fail(Reason.CHUNK_FAILED, "no")
    reply = call("post", f"/workers/{running.pk}/retry")
    assert (reply.status_code, reply.json()["continues"]) == (201, running.pk)
    again = call("post", f"/workers/{running.pk}/retry")
    assert (again.status_code, again.json()["current"]) == (409, "continued")


def test_retry_waits_where_no_slot_is_free(call: Call, running: Worker) -> None:
    running.fail(Reason.CHUNK_FAILED, "no")
    dispatch.set_limit(0, "mira")
    reply = call("post", f"/workers/{running.pk}/retry")
    assert (reply.status_code, reply.json()["continues"]) == (202, running.pk)
    assert Yard.current().limit == 0


def test_what_has_not_failed_is_not_retried(call: Call, running: Worker) -> None:
    reply = call("post", f"/workers/{running.pk}/retry")
    assert (reply.status_code, reply.json()["current"]) == (409, "running")


def test_the_plan_and_the_attempts(call: Call, running: Worker) -> None:
    chunks = call("get", f"/workers/{running.pk}/chunks").json()
    assert [(chunk["ordinal"], chunk["outcome"], chunk["params"]) for chunk in chunks] == [
        (1, "pending", {"run": "true"}),
        (2, "pending", {"run": "true"}),
    ]
    attempt = Attempt.open(running, running.chunks.get(ordinal=1))
    [shown] = call("get", f"/workers/{running.pk}/attempts").json()["items"]
    assert (shown["id"], shown["worker"], shown["status"]) == (attempt.pk, running.pk, "running")
    assert shown["chunk"] == {"ordinal": 1, "title": "Chunk 1"}
    assert call("get", f"/attempts/{attempt.pk}").json()["id"] == attempt.pk


def test_many_at_once_with_what_became_of_each(call: Call, running: Worker) -> None:
    over = ended()
    reply = call("post", "/workers/actions", {"action": "pause", "ids": [running.pk, over.pk, 4711]})
    assert reply.status_code == 200
    assert reply.json()["done"] == 1
    assert [(one["id"], one["outcome"], one["current"]) for one in reply.json()["results"]] == [
        (running.pk, "done", ""),
        (over.pk, "refused", "completed"),
        (4711, "missing", ""),
    ]
    running.refresh_from_db()
    assert running.desired == Wish.PAUSE


def test_all_of_one_status_at_once(call: Call, running: Worker) -> None:
    over = ended("failed")
    reply = call("post", "/workers/actions", {"action": "stop", "status": ["running", "paused"]})
    assert [one["id"] for one in reply.json()["results"]] == [running.pk]
    reply = call("post", "/workers/actions", {"action": "retry", "status": ["failed"]})
    assert [(one["id"], one["outcome"]) for one in reply.json()["results"]] == [(over.pk, "done")]
    assert over.continued_by.get().status == WorkerStatus.IDLE


@pytest.mark.parametrize(
    "body",
    [
        {"action": "pause"},
        {"action": "pause", "ids": [1], "status": ["running"]},
        {"action": "explode", "ids": [1]},
        {"action": "pause", "ids": [0]},
        {"action": "pause", "ids": list(range(1, 1002))},
    ],
)
def test_many_at_once_badly_asked_for(call: Call, body: Any) -> None:
    assert call("post", "/workers/actions", body).status_code == 422
