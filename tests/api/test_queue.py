"""The queue and the settings, for programs."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from queue_app import dispatch
from queue_app.models import WorkerQueue, Yard
from tests.api.conftest import Call
from tests.support import make
from workers.models import Node, Worker

pytestmark = pytest.mark.django_db


def waiting(**fields: Any) -> WorkerQueue:
    entry = dispatch.enqueue(make.spec(), by="mira", **fields)
    assert isinstance(entry, WorkerQueue)
    return entry


def order(call: Call) -> list[int]:
    return [item["id"] for item in call("get", "/queue").json()["items"]]


def test_what_waits_says_where_and_why(call: Call, full_yard: Worker) -> None:
    later = timezone.now() + timedelta(days=1)
    first, second = waiting(priority=5), waiting(not_before=later)
    items = call("get", "/queue").json()["items"]
    assert [(item["id"], item["place"], item["waits"]["cause"]) for item in items] == [
        (first.pk, 1, "slots_full"),
        (second.pk, 2, "not_before"),
    ]
    assert items[0]["project"] == {"id": first.spec.project_id, "name": first.spec.project.name}
    assert items[1]["starts_at"] == items[1]["waits"]["until"] == items[1]["not_before"]
    alone = call("get", f"/queue/{second.pk}").json()
    assert alone == items[1]


def test_the_list_goes_on_behind_the_cursor(call: Call, full_yard: Worker) -> None:
    made = [waiting(priority=number % 3).pk for number in range(7)]
    wanted = list(WorkerQueue.objects.values_list("pk", flat=True))
    found, after = [], ""
    while after is not None:
        content = call("get", "/queue", limit=2, after=after).json()
        found += [(item["id"], item["place"]) for item in content["items"]]
        after = content["next"]
    assert found == [(pk, place) for place, pk in enumerate(wanted, 1)]
    assert set(made) == set(wanted)


def test_the_entries_of_one_project_keep_their_places(call: Call, full_yard: Worker) -> None:
    mine = make.project()
    entries = [
        dispatch.enqueue(make.spec(project=mine if number % 3 else make.project()), by="mira", priority=number % 2)
        for number in range(9)
    ]
    wanted = {entry.pk for entry in entries if entry.spec.project_id == mine.pk}
    everything = call("get", "/queue").json()["items"]
    assert [item["place"] for item in everything] == list(range(1, 10))
    expected = [(item["id"], item["place"], item["waits"]) for item in everything if item["id"] in wanted]
    for limit in (1, 2, 6):
        found, after = [], ""
        while after is not None:
            content = call("get", "/queue", project=mine.pk, limit=limit, after=after).json()
            found += [(item["id"], item["place"], item["waits"]) for item in content["items"]]
            after = content["next"]
        assert found == expected
    one = entries[4]
    [shown] = call("get", "/queue", spec=one.spec_id).json()["items"]
    assert shown["id"] == one.pk
    assert call("get", "/queue", project=4711).json() == {"items": [], "next": None}
    assert call("get", "/queue", project=mine.pk, spec=full_yard.spec_id).json()["items"] == []


def test_a_page_goes_on_where_it_was_whatever_moves(call: Call, full_yard: Worker) -> None:
    """What was added, removed or moved before the cursor shifts nothing behind it."""
    entries = [waiting().pk for _ in range(6)]
    first = call("get", "/queue", limit=2).json()
    waiting(top=True)
    dispatch.remove(entries[1], "mira")
    call("post", "/queue/reorder", {"entry": entries[5], "place": "top"})
    assert [item["id"] for item in call("get", "/queue", after=first["next"]).json()["items"]] == entries[2:5]


@pytest.mark.parametrize("after", ["x", "1_0", "0_0_!", "-1_0_a0", "1_1000_a0", "1_0_" + "a" * 501])
def test_what_is_no_cursor_is_refused(call: Call, after: str) -> None:
    reply = call("get", "/queue", after=after)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "after")


@pytest.mark.parametrize("of_one_project", [False, True])
def test_a_longer_queue_asks_no_more(call: Call, full_yard: Worker, of_one_project: bool) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert call("get", "/queue", **query).status_code == 200
        return len(captured)

    project = make.project()
    query = {"project": project.pk} if of_one_project else {}
    dispatch.enqueue(make.spec(project=project), by="mira")
    queries()
    few = queries()
    for _ in range(5):
        dispatch.enqueue(make.spec(project=project), by="mira")
        waiting()
    assert queries() == few <= 15


def test_an_entry_is_made_when_it_waits_and_a_worker_when_it_does_not(call: Call, node: Node) -> None:
    started = call("post", "/queue", {"spec": make.spec().pk})
    assert started.status_code == 200
    assert started["Location"] == f"/api/workers/{started.json()['id']}"
    dispatch.pause_queue("mira")
    made = call("post", "/queue", {"spec": make.spec().pk, "top": True})
    assert (made.status_code, made.json()["waits"]["cause"]) == (201, "queue_paused")
    assert made["Location"] == f"/api/queue/{made.json()['id']}"


def test_priority_and_time_are_changed_together_or_not_at_all(call: Call, full_yard: Worker) -> None:
    entry = waiting()
    moment = "2030-01-01T12:00:00Z"
    reply = call("patch", f"/queue/{entry.pk}", {"priority": 9, "not_before": moment})
    assert (reply.status_code, reply.json()["priority"], reply.json()["not_before"]) == (200, 9, moment)
    assert call("patch", f"/queue/{entry.pk}", {"not_before": None}).json()["not_before"] is None
    assert call("patch", f"/queue/{entry.pk}", {}).json()["priority"] == 9
    for body in ({"priority": 101}, {"priority": None}, {"not_before": 7}, {"rank": "a0"}):
        reply = call("patch", f"/queue/{entry.pk}", body)
        assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, next(iter(body)))
    entry.refresh_from_db()
    assert entry.priority == 9


def test_an_entry_is_removed_once(call: Call, full_yard: Worker) -> None:
    entry = waiting()
    gone = call("delete", f"/queue/{entry.pk}")
    assert (gone.status_code, type(gone.status_code)) == (204, int)  # as it is logged and counted
    again = call("delete", f"/queue/{entry.pk}")
    assert (again.status_code, again.json()["detail"]) == (404, f"There is no queue entry {entry.pk}.")


def test_entries_are_moved(call: Call, full_yard: Worker) -> None:
    one, two, three = waiting(), waiting(), waiting(priority=5)
    assert order(call) == [three.pk, one.pk, two.pk]
    moved = call("post", "/queue/reorder", {"entry": two.pk, "before": three.pk})
    assert (moved.status_code, moved.json()["priority_changed"]) == (200, True)
    assert moved.json()["entry"]["place"] == 1
    call("post", "/queue/reorder", {"entry": three.pk, "after": one.pk})
    assert order(call) == [two.pk, one.pk, three.pk]
    call("post", "/queue/reorder", {"entry": three.pk, "place": "top"})
    assert order(call) == [three.pk, two.pk, one.pk]


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ({}, 422),
        ({"before": 1, "after": 2}, 422),
        ({"place": "middle"}, 422),
        ({"before": 4711}, 409),
    ],
)
def test_a_move_to_nowhere_changes_nothing(call: Call, full_yard: Worker, place: Any, status: int) -> None:
    one, two = waiting(), waiting()
    assert call("post", "/queue/reorder", {"entry": two.pk, **place}).status_code == status
    assert order(call) == [one.pk, two.pk]


def test_an_entry_that_is_gone_cannot_be_moved(call: Call, full_yard: Worker) -> None:
    entry = waiting()
    reply = call("post", "/queue/reorder", {"entry": 4711, "before": entry.pk})
    assert (reply.status_code, reply.json()["detail"]) == (404, "There is no queue entry 4711.")
    assert call("post", "/queue/reorder", {"entry": entry.pk, "before": entry.pk}).status_code == 409


def test_the_queue_stands_still_and_moves(call: Call, full_yard: Worker) -> None:
    for _ in range(2):
        reply = call("post", "/queue/pause")
        assert (reply.status_code, reply.json()["paused"], reply.json()["paused_by"]) == (200, True, "mira")
    for _ in range(2):
        assert call("post", "/queue/resume").json()["paused"] is False


def test_the_limit_is_read_and_changed(call: Call, full_yard: Worker) -> None:
    waiting()
    shown = call("get", "/settings").json()
    assert shown == {"limit": 1, "paused": False, "paused_by": "", "paused_at": None, "active": 1, "waiting": 1}
    changed = call("patch", "/settings", {"limit": 2}).json()
    assert (changed["limit"], changed["active"], changed["waiting"]) == (2, 2, 0)
    for limit in (-1, 1001, None, "2", 1.5, 10**30):
        reply = call("patch", "/settings", {"limit": limit})
        assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "limit")
    assert Yard.current().limit == 2


def test_several_entries_at_once(call: Call, full_yard: Worker) -> None:
    one, two, three = waiting(), waiting(), waiting()
    call("post", "/queue/actions", {"action": "top", "ids": [two.pk, three.pk]})
    assert order(call) == [two.pk, three.pk, one.pk]
    reply = call("post", "/queue/actions", {"action": "remove", "ids": [one.pk, 4711, three.pk]}).json()
    assert [(result["id"], result["outcome"]) for result in reply["results"]] == [
        (one.pk, "done"),
        (4711, "missing"),
        (three.pk, "done"),
    ]
    assert (reply["done"], order(call)) == (2, [two.pk])
