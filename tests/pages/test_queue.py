"""Adding, ordering, removing; the queue's pause and the limit."""

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.utils import timezone

from queue_app import dispatch, ordering
from queue_app.models import WorkerQueue, Yard
from tests.support import make
from workers.models import Worker


@pytest.fixture
def waiting(full_yard):
    """Three entries in the order a, b, c."""
    specs = [make.spec(title=title) for title in ("a", "b", "c")]
    return [dispatch.enqueue(spec, by="mira") for spec in specs]


def order() -> str:
    return "".join(WorkerQueue.objects.values_list("spec__title", flat=True))


def test_the_row_says_where_it_stands_and_why_it_waits(viewer, waiting):
    page = viewer.get("/workers").content.decode()
    assert "3 waiting" in page
    assert page.count(">Slots full (1/1)<") == 3
    assert "no estimate" in page


def test_an_entry_with_a_time_says_so(viewer, full_yard):
    later = timezone.now() + timedelta(days=2)
    dispatch.enqueue(make.spec(), by="mira", not_before=later)
    page = viewer.get("/workers").content.decode()
    assert "Not before" in page
    assert f'datetime="{later.isoformat()}"' in page


def test_a_paused_queue_names_who_paused_it(act, waiting, viewer):
    act("post", "/queue/pause")
    page = viewer.get("/workers").content.decode()
    assert "Queue paused by mira" in page
    assert "Resume queue" in page
    act("post", "/queue/resume")
    assert not Yard.current().paused


def test_added_specs_start_or_wait(act, full_yard):
    Yard.objects.update(limit=2)
    specs = [make.spec(title="x"), make.spec(title="y")]
    reply = act("post", "/queue", {"spec": [spec.pk for spec in specs], "priority": "10"})
    assert "Added 2 specs." in reply.content.decode()
    assert Worker.objects.filter(spec=specs[0], status="idle").exists()
    assert WorkerQueue.objects.get().priority == 10


def test_specs_added_at_the_top_keep_their_order(act, waiting):
    specs = [make.spec(title=title) for title in "xyz"]
    act("post", "/queue", {"spec": [spec.pk for spec in specs], "place": "top"})
    assert order() == "xyzabc"


def test_a_spec_is_never_queued_twice(act, waiting):
    reply = act("post", "/queue", {"spec": waiting[0].spec_id})
    assert reply.status_code == 409
    assert "in the queue already" in reply.content.decode()
    assert WorkerQueue.objects.count() == 3


def test_those_that_cannot_be_added_are_named(act, waiting):
    fresh = make.spec(title="fresh")
    reply = act("post", "/queue", {"spec": [waiting[0].spec_id, fresh.pk]})
    assert reply.status_code == 200
    assert "Added 1 spec." in reply.content.decode()
    assert "a: This spec is in the queue already." in reply.content.decode()


def test_a_spec_without_chunks_is_refused(act, node):
    spec = make.spec()
    spec.chunks.all().delete()
    assert "has no chunks" in act("post", "/queue", {"spec": spec.pk}).content.decode()


@pytest.mark.parametrize(
    "form, names",
    [
        ({}, "spec"),
        ({"spec": ""}, "spec"),
        ({"spec": "x"}, "spec"),
        ({"spec": "-1"}, "spec"),
        ({"spec": "9" * 30}, "spec"),
        ({"spec": "4711"}, "spec"),
        ({"spec": ["1"] * 201}, "spec"),
        ({"priority": "high"}, "priority"),
        ({"priority": "101"}, "priority"),
        ({"priority": "9" * 30}, "priority"),
        ({"priority": "1.5"}, "priority"),
        ({"not_before": "tomorrow"}, "not_before"),
        ({"not_before": "2026-13-45T00:00"}, "not_before"),
        ({"not_before": "\x00"}, "not_before"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(act, full_yard, form, names):
    spec = make.spec()
    form = {"spec": str(spec.pk), **form} if names != "spec" else form
    reply = act("post", "/queue", form)
    assert reply.status_code == 400
    assert f"{names}:" in reply.content.decode()
    assert not WorkerQueue.objects.exists()


def test_an_entry_moves_beside_another(act, waiting):
    a, b, c = waiting
    act("post", f"/queue/{c.pk}/move", {"before": a.pk})
    assert order() == "cab"
    act("post", f"/queue/{c.pk}/move", {"after": b.pk})
    assert order() == "abc"


@pytest.mark.parametrize("place, result", [("up", "bac"), ("down", "acb"), ("top", "bac"), ("bottom", "acb")])
def test_the_menu_moves_without_dragging(act, waiting, place, result):
    assert act("post", f"/queue/{waiting[1].pk}/move", {"place": place}).status_code == 200
    assert order() == result


@pytest.mark.parametrize("number, place", [(0, "up"), (0, "top"), (2, "down"), (2, "bottom")])
def test_at_an_end_of_the_queue_there_is_nothing_to_move(act, waiting, number, place):
    assert act("post", f"/queue/{waiting[number].pk}/move", {"place": place}).status_code == 200
    assert order() == "abc"


def test_a_row_that_takes_another_priority_says_so(act, waiting):
    ordering.set_priority(waiting[0].pk, 50, "mira")
    reply = act("post", f"/queue/{waiting[2].pk}/move", {"before": waiting[0].pk}).content.decode()
    assert order() == "cab"
    assert "c now has priority Urgent (50)" in reply


@pytest.mark.parametrize(
    "form, status",
    [({}, 400), ({"place": "sideways"}, 400), ({"after": "x"}, 400), ({"after": "4711"}, 409), ({"before": "0"}, 409)],
)
def test_a_bad_place_is_refused(act, waiting, form, status):
    assert act("post", f"/queue/{waiting[0].pk}/move", form).status_code == status
    assert order() == "abc"


def test_an_entry_cannot_move_beside_itself(act, waiting):
    assert act("post", f"/queue/{waiting[0].pk}/move", {"after": waiting[0].pk}).status_code == 409


def test_priorities_change_the_order(act, waiting):
    act("post", f"/queue/{waiting[2].pk}/priority", {"priority": "10"})
    assert order() == "cab"


@pytest.mark.parametrize("value", ["", "x", "101", "-101"])
def test_a_bad_priority_is_refused(act, waiting, value):
    reply = act("post", f"/queue/{waiting[0].pk}/priority", {"priority": value})
    assert reply.status_code == 400
    assert "priority:" in reply.content.decode()


def undo_of(entry: WorkerQueue, reply: HttpResponse) -> dict[str, Any]:
    """What the Undo of a removed entry sends."""
    [strip] = re.findall(rf'<li[^>]* id="undo-{entry.pk}".*?</li>', reply.content.decode(), re.DOTALL)
    [values] = re.findall(r'hx-vals="([^"]*)"', strip)
    return json.loads(html.unescape(values))


def test_a_removed_entry_is_a_strip_in_its_own_place(act, waiting):
    reply = act("delete", f"/queue/{waiting[1].pk}").content.decode()
    assert order() == "ac"
    assert re.findall(r'<li[^>]* id="(\w+-\d+)"', reply) == [
        f"entry-{waiting[0].pk}",
        f"undo-{waiting[1].pk}",
        f"entry-{waiting[2].pk}",
    ]


@pytest.mark.parametrize("priority", [-10, 0, 10])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_removed_entry_can_be_put_back_where_it_was(act, waiting, number, priority):
    ordering.set_priority(waiting[1].pk, priority, "mira")
    before = order()
    reply = act("delete", f"/queue/{waiting[number].pk}")
    assert act("post", "/queue/restore", undo_of(waiting[number], reply)).status_code == 200
    assert order() == before


def test_it_is_put_back_in_its_place_though_its_neighbours_have_gone_and_others_have_come(act, waiting):
    a, b, c = waiting
    d, e = (dispatch.enqueue(make.spec(title=title), by="mira") for title in "de")
    reply = act("delete", f"/queue/{c.pk}")
    dispatch.remove(d.pk, "mira")
    dispatch.remove(b.pk, "mira")
    dispatch.enqueue(make.spec(title="x"), by="mira", top=True)
    ordering.move(a.pk, "mira", after=e.pk)
    act("post", "/queue/restore", undo_of(c, reply))
    assert order() == "xcea"


def test_an_entry_that_waits_again_already_is_not_put_back_twice(act, waiting):
    reply = act("delete", f"/queue/{waiting[0].pk}")
    undo = undo_of(waiting[0], reply)
    assert act("post", "/queue/restore", undo).status_code == 200
    assert act("post", "/queue/restore", undo).status_code == 409
    assert order() == "abc"


def test_an_entry_that_continues_a_worker_still_does_when_it_is_put_back(act, full_yard):
    full_yard.request_stop("mira")
    full_yard.refresh_from_db()
    make.worker(slot=1)
    entry = dispatch.retry(full_yard, "mira")
    act("post", "/queue/restore", undo_of(entry, act("delete", f"/queue/{entry.pk}")))
    assert WorkerQueue.objects.get().continues == full_yard


def test_a_worker_of_another_spec_cannot_be_continued(act, waiting, full_yard):
    fresh = make.spec(title="d")
    act("post", "/queue/restore", {"spec": fresh.pk, "continues": full_yard.pk})
    assert WorkerQueue.objects.get(spec=fresh).continues is None


def test_removing_twice_is_not_found(act, waiting):
    assert act("delete", f"/queue/{waiting[0].pk}").status_code == 200
    assert act("delete", f"/queue/{waiting[0].pk}").status_code == 404


def test_the_limit_is_set_or_changed_and_starts_what_may_start(act, waiting):
    act("post", "/queue/limit", {"change": "1"})
    assert Yard.current().limit == 2
    assert order() == "bc"
    act("post", "/queue/limit", {"limit": "0"})
    assert Yard.current().limit == 0


@pytest.mark.parametrize("form", [{}, {"limit": "many"}, {"limit": "-1"}, {"limit": "1001"}, {"change": "-2"}])
def test_a_bad_limit_is_refused(act, full_yard, form):
    reply = act("post", "/queue/limit", form)
    assert reply.status_code == 400
    assert "limit" in reply.content.decode()
    assert Yard.current().limit == 1


def test_the_dialog_offers_specs_and_says_which_are_blocked(viewer, waiting, full_yard):
    free = make.spec(title="free one")
    page = viewer.get("/queue").content.decode()
    assert f'value="{free.pk}" data-size="1">' in page
    assert f'value="{waiting[0].spec_id}" data-size="1" disabled>' in page
    assert f"/workers/{full_yard.pk}" in page


def test_searching_finds_words_and_keeps_what_was_chosen(viewer, node):
    kept, found, other = (make.spec(title=title) for title in ("kept", "needle in hay", "other"))
    page = viewer.get("/queue", {"q": "hay needle", "spec": kept.pk}).content.decode()
    assert f'value="{kept.pk}" data-size="1" checked>' in page
    assert "needle in hay" in page
    assert other.title not in page
    assert found.pk


def test_a_long_queue_is_folded_and_counted(viewer, full_yard):
    for _ in range(15):
        dispatch.enqueue(make.spec(), by="mira")
    page = viewer.get("/workers").content.decode()
    assert "15 waiting" in page
    assert "Show the other 3" in page


def test_without_htmx_an_action_leads_back_to_the_page_with_a_message(operator, waiting):
    response = operator.post(f"/queue/{waiting[2].pk}/move", {"place": "top"}, follow=True)
    assert response.redirect_chain == [("/workers", 302)]
    assert order() == "cab"
