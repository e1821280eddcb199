"""Two programs ask for the same at the same moment: one of them gets it, the other is told."""

import pytest

from queue_app import dispatch
from queue_app.models import WorkerQueue
from tests.api.conftest import PROGRAMS, Together, statuses
from tests.support import make
from workers.models import Event, Node, Worker
from workers.states import Reason

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_entry_is_removed_by_one(together: Together, full_yard: Worker) -> None:
    entry = dispatch.enqueue(make.spec(), by="mira")
    replies = together(lambda call, _: call("delete", f"/queue/{entry.pk}"))
    assert statuses(replies) == [204, 404, 404, 404]
    assert Event.objects.filter(kind="queue_updated", data__action="removed").count() == 1


def test_a_worker_is_retried_once(together: Together, running: Worker) -> None:
    running.fail(Reason.CHUNK_FAILED, "no")
    replies = together(lambda call, _: call("post", f"/workers/{running.pk}/retry"))
    assert statuses(replies) == [201, 409, 409, 409]
    assert running.continued_by.count() == 1


def test_a_spec_runs_once(together: Together, node: Node) -> None:
    spec = make.spec()
    replies = together(lambda call, _: call("post", "/workers", {"spec": spec.pk}))
    assert statuses(replies) == [201, 409, 409, 409]
    assert Worker.objects.count() == 1


def test_a_spec_has_its_key_alone(together: Together, node: Node) -> None:
    body = {"project": make.project().pk, "title": "Tidy", "chunks": [{"title": "One", "params": {"run": "true"}}]}
    assert statuses(together(lambda call, _: call("post", "/specs", body))) == [201, 422, 422, 422]


def test_all_who_stop_and_remove_are_heard(together: Together, running: Worker) -> None:
    assert statuses(together(lambda call, _: call("delete", f"/workers/{running.pk}"))) == [202] * PROGRAMS
    running.refresh_from_db()
    assert running.removed


def test_all_who_reorder_leave_one_order(together: Together, full_yard: Worker) -> None:
    entries = [dispatch.enqueue(make.spec(), by="mira").pk for _ in range(3)]
    replies = together(lambda call, _: call("post", "/queue/reorder", {"entry": entries[2], "place": "top"}))
    assert statuses(replies) == [200] * PROGRAMS
    assert list(WorkerQueue.objects.values_list("pk", flat=True)) == [entries[2], *entries[:2]]
