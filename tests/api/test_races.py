"""Two programs ask for the same at the same moment: one of them gets it, the other is told."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from queue_app import dispatch
from queue_app.models import WorkerQueue
from tests.api.conftest import Call, caller
from tests.support import make
from workers.models import Event, Node, Worker, patience
from workers.states import Reason

pytestmark = pytest.mark.django_db(transaction=True)
PROGRAMS = 4
Ask = Callable[[Call], HttpResponse]


@pytest.fixture
def together(operator: Client) -> Callable[[Ask], list[HttpResponse]]:
    """Asks the same several times at once."""

    def asking(ask: Ask) -> list[HttpResponse]:
        gate = threading.Barrier(PROGRAMS)

        def one(_: int) -> HttpResponse:
            try:
                client = Client()
                client.cookies = operator.cookies
                gate.wait(30)
                with patience(60):
                    return ask(caller(client))
            finally:
                connection.close()

        with ThreadPoolExecutor(PROGRAMS) as pool:
            return list(pool.map(one, range(PROGRAMS)))

    return asking


def statuses(replies: list[HttpResponse]) -> list[int]:
    return sorted(reply.status_code for reply in replies)


def test_an_entry_is_removed_by_one(together: Callable[[Ask], list[HttpResponse]], full_yard: Worker) -> None:
    entry = dispatch.enqueue(make.spec(), by="mira")
    replies = together(lambda call: call("delete", f"/queue/{entry.pk}"))
    assert statuses(replies) == [204, 404, 404, 404]
    assert Event.objects.filter(kind="queue_updated", data__action="removed").count() == 1


def test_a_worker_is_retried_once(together: Callable[[Ask], list[HttpResponse]], running: Worker) -> None:
    running.fail(Reason.CHUNK_FAILED, "no")
    replies = together(lambda call: call("post", f"/workers/{running.pk}/retry"))
    assert statuses(replies) == [201, 409, 409, 409]
    assert running.continued_by.count() == 1


def test_a_spec_runs_once(together: Callable[[Ask], list[HttpResponse]], node: Node) -> None:
    spec = make.spec()
    replies = together(lambda call: call("post", "/workers", {"spec": spec.pk}))
    assert statuses(replies) == [201, 409, 409, 409]
    assert Worker.objects.count() == 1


def test_a_spec_has_its_key_alone(together: Callable[[Ask], list[HttpResponse]], node: Node) -> None:
    body = {"project": make.project().pk, "title": "Tidy", "chunks": [{"title": "One", "params": {"run": "true"}}]}
    assert statuses(together(lambda call: call("post", "/specs", body))) == [201, 422, 422, 422]


def test_all_who_stop_and_remove_are_heard(together: Callable[[Ask], list[HttpResponse]], running: Worker) -> None:
    assert statuses(together(lambda call: call("delete", f"/workers/{running.pk}"))) == [202] * PROGRAMS
    running.refresh_from_db()
    assert running.removed


def test_all_who_reorder_leave_one_order(together: Callable[[Ask], list[HttpResponse]], full_yard: Worker) -> None:
    entries = [dispatch.enqueue(make.spec(), by="mira").pk for _ in range(3)]
    replies = together(lambda call: call("post", "/queue/reorder", {"entry": entries[2], "place": "top"}))
    assert statuses(replies) == [200] * PROGRAMS
    assert list(WorkerQueue.objects.values_list("pk", flat=True)) == [entries[2], *entries[:2]]
