"""The admin changes the queue through the same verbs, and open pages hear of it."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from queue_app import dispatch
from queue_app.models import WorkerQueue, Yard
from tests.support import make
from workers.models import Event, Worker
from workers.states import Wish

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin() -> Client:
    make.node()
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def waiting(count: int) -> list[WorkerQueue]:
    dispatch.set_limit(0, by="mira")
    return [dispatch.enqueue(make.spec(), by="mira") for _ in range(count)]


def actions() -> list[str]:
    return [event.data["action"] for event in Event.objects.filter(kind="queue_updated")]


def test_adding_goes_through_the_verb_and_starts_at_once_when_there_is_room(admin: Client) -> None:
    spec = make.spec()
    answer = admin.post(reverse("admin:queue_app_workerqueue_add"), {"spec": spec.pk, "priority": 3})
    assert answer.status_code == 302
    assert Worker.objects.get().spec == spec
    assert Worker.objects.get().created_by == "root"


def test_adding_a_spec_twice_is_an_error_at_the_field(admin: Client) -> None:
    entry = waiting(1)[0]
    answer = admin.post(reverse("admin:queue_app_workerqueue_add"), {"spec": entry.spec_id, "priority": 0})
    assert b"in the queue already" in answer.content
    assert WorkerQueue.objects.count() == 1


def test_priority_and_place_are_changed_by_the_verbs(admin: Client) -> None:
    first, second, third = waiting(3)
    change = reverse("admin:queue_app_workerqueue_change", args=[third.pk])
    assert admin.post(change, {"priority": 0, "before": first.pk}).status_code == 302
    assert list(WorkerQueue.objects.all()) == [third, first, second]
    assert admin.post(change, {"priority": -4}).status_code == 302
    assert list(WorkerQueue.objects.all()) == [first, second, third]
    assert actions()[-2:] == ["moved", "moved"]


def test_removing_one_and_several_is_heard(admin: Client) -> None:
    first, second, third = waiting(3)
    admin.post(reverse("admin:queue_app_workerqueue_delete", args=[first.pk]), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [second.pk, third.pk], "post": "yes"}
    admin.post(reverse("admin:queue_app_workerqueue_changelist"), chosen)
    assert not WorkerQueue.objects.exists()
    assert actions()[-3:] == ["removed"] * 3


def test_limit_and_pause_of_the_yard(admin: Client) -> None:
    waiting(1)
    change = reverse("admin:queue_app_yard_change", args=[1])
    admin.post(change, {"limit": 2, "paused": "on"})
    yard = Yard.current()
    assert (yard.limit, yard.paused, yard.paused_by) == (2, True, "root")
    admin.post(change, {"limit": 2})
    assert not Yard.current().paused
    assert Worker.objects.count() == 1


@pytest.mark.parametrize(("action", "wish"), [("pause", Wish.PAUSE), ("resume", Wish.RUN), ("stop", Wish.STOP)])
def test_workers_are_steered_by_their_verbs(admin: Client, action: str, wish: Wish) -> None:
    worker = make.worker()
    Worker.claim(worker.pk, 1)
    chosen = {"action": action, "_selected_action": [worker.pk]}
    admin.post(reverse("admin:workers_worker_changelist"), chosen)
    assert Worker.objects.get().desired == wish


@pytest.mark.parametrize(
    "model", ["worker", "workerchunk", "attempt", "question", "message", "node", "event", "eventcounter"]
)
def test_every_list_of_what_happened_opens(admin: Client, model: str) -> None:
    make.worker()
    assert admin.get(reverse(f"admin:workers_{model}_changelist")).status_code == 200


def test_every_model_of_ours_is_in_the_admin() -> None:
    from django.apps import apps
    from django.contrib import admin as site

    ours = [
        model
        for name in ("specs", "workers", "queue_app", "dashboard")
        for model in apps.get_app_config(name).get_models()
    ]
    assert [model for model in ours if not site.site.is_registered(model)] == []
