"""A button and a program do the same: the same rows change, and the same events tell of it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from queue_app import dispatch
from queue_app.models import WorkerQueue, Yard
from tests.api.conftest import caller
from tests.support import make
from workers.models import Event, Node, Worker
from workers.states import Reason

pytestmark = pytest.mark.django_db
FIELDS = ("status", "desired", "desired_by", "removed", "reason", "error")


def running() -> Worker:
    accepted = make.worker("true")
    found = Worker.claim(accepted.pk, accepted.epoch)
    assert found is not None
    return found


def pausing() -> Worker:
    worker = running()
    worker.request_pause("ada")
    return worker


def failed() -> Worker:
    worker = running()
    worker.fail(Reason.CHUNK_FAILED, "no")
    return worker


# What there is, the button's method and address below /workers/ID, the program's.
WORKER_VERBS: dict[str, tuple[Callable[[], Worker], tuple[str, str], tuple[str, str]]] = {
    "pause": (running, ("post", "/pause"), ("post", "/pause")),
    "resume": (pausing, ("delete", "/pause"), ("post", "/resume")),
    "stop": (running, ("post", "/stop"), ("post", "/stop")),
    "remove": (running, ("delete", ""), ("delete", "")),
    "requeue": (running, ("post", "/requeue"), ("post", "/requeue")),
    "retry": (failed, ("post", "/retry"), ("post", "/retry")),
}


def told(since: int, keys: dict[Any, str]) -> list[tuple[str, dict[str, Any]]]:
    """The events since then, with numbers of rows replaced by names."""
    found = Event.objects.filter(seq__gt=since).values_list("kind", "data")
    return [
        (
            kind,
            {
                name: keys.get(value, "new") if name in ("spec", "entry", "worker") else value
                for name, value in data.items()
            },
        )
        for kind, data in found
    ]


def outcome(worker: Worker, since: int) -> tuple[Any, ...]:
    worker.refresh_from_db()
    row = tuple(getattr(worker, name) for name in FIELDS)
    waiting = WorkerQueue.objects.filter(continues=worker).count()
    events = [
        (kind, {name: value for name, value in data.items() if name not in ("project", "title", "slot")})
        for kind, data in told(since, {worker.spec_id: "its own"})
    ]
    return row, waiting, worker.continued_by.count(), events


@pytest.mark.parametrize("verb", WORKER_VERBS)
def test_what_is_asked_of_a_worker(operator: Client, node: Node, verb: str) -> None:
    Yard.current()
    Yard.objects.update(limit=100)
    begin, button, program = WORKER_VERBS[verb]
    outcomes = []
    for prefix, (method, path) in (("", button), ("/api", program)):
        worker = begin()
        since = Event.objects.latest("seq").seq
        reply = getattr(operator, method)(f"{prefix}/workers/{worker.pk}{path}", headers={"HX-Request": "true"})
        assert reply.status_code < 300
        outcomes.append(outcome(worker, since))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][-1], "nothing was told"


@pytest.mark.parametrize("action", ["pause", "resume", "stop"])
def test_what_is_asked_of_all_workers(operator: Client, node: Node, action: str) -> None:
    outcomes = []
    for is_page in (True, False):
        worker = pausing() if action == "resume" else running()
        since = Event.objects.latest("seq").seq
        if is_page:
            operator.post(f"/workers/{action}-all", headers={"HX-Request": "true"})
        else:
            caller(operator)("post", "/workers/actions", {"action": action, "status": ["running", "paused"]})
        outcomes.append(outcome(worker, since))
        worker.completed()
    assert outcomes[0] == outcomes[1]


def test_what_is_asked_of_the_queue(operator: Client, full_yard: Worker) -> None:
    def entry() -> WorkerQueue:
        found = dispatch.enqueue(make.spec(), by="mira")
        assert isinstance(found, WorkerQueue)
        return found

    call = caller(operator)
    pairs: list[tuple[Callable[[int], object], Callable[[int], object]]] = [
        (
            lambda pk: operator.post(f"/queue/{pk}/priority", {"priority": "7"}),
            lambda pk: call("patch", f"/queue/{pk}", {"priority": 7}),
        ),
        (
            lambda pk: operator.post(f"/queue/{pk}/move", {"place": "top"}),
            lambda pk: call("post", "/queue/reorder", {"entry": pk, "place": "top"}),
        ),
        (lambda pk: operator.delete(f"/queue/{pk}"), lambda pk: call("delete", f"/queue/{pk}")),
        (lambda pk: operator.post("/queue/pause"), lambda pk: call("post", "/queue/pause")),
        (lambda pk: operator.post("/queue/resume"), lambda pk: call("post", "/queue/resume")),
    ]
    for button, program in pairs:
        seen = []
        for ask in (button, program):
            WorkerQueue.objects.all().delete()
            Yard.objects.update(paused=button is not pairs[3][0] and button is pairs[4][0])
            entry()
            pk = entry().pk
            since = Event.objects.latest("seq").seq
            ask(pk)
            seen.append(told(since, {pk: "this"}))
        assert seen[0] == seen[1]
        assert seen[0]
