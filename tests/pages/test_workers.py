"""The pages of workers and what operators ask of them."""

import pytest

from dashboard.pages import fragments
from queue_app import dispatch
from queue_app.models import WorkerQueue
from tests.support import make
from workers.models import Attempt, Worker
from workers.states import Reason, Step, Wish, WorkerStatus


def test_the_home_page_is_that_of_the_workers(viewer):
    assert viewer.get("/")["Location"] == "/workers"


def test_an_empty_yard_offers_a_first_spec(viewer):
    page = viewer.get("/workers").content.decode()
    assert "Run your first spec" in page
    assert "Workers (0)" in page


def test_a_yard_with_specs_offers_to_add_one(viewer, node):
    make.spec()
    page = viewer.get("/workers").content.decode()
    assert "No worker is active" in page
    assert "Run your first spec" not in page


def test_the_page_shows_cards_in_the_order_of_slots(viewer, node):
    later, first = make.worker(slot=2), make.worker(slot=1)
    page = viewer.get("/workers").content.decode()
    assert page.index(f'id="worker-{first.pk}"') < page.index(f'id="worker-{later.pk}"')
    assert "Workers (2)" in page


def test_a_full_yard_says_so(viewer, full_yard):
    page = viewer.get("/workers").content.decode()
    assert "All worker slots in use (1/1). New specs will be queued." in page


def test_an_ended_card_stays_until_its_slot_is_taken(viewer, running):
    running.fail(Reason.CHUNK_FAILED, "Chunk 1 failed: exit 2")
    page = viewer.get("/workers").content.decode()
    assert f'id="worker-{running.pk}"' in page
    assert "Chunk 1 failed: exit 2" in page
    make.worker(slot=running.last_slot)
    assert f'id="worker-{running.pk}"' not in viewer.get("/workers").content.decode()


def test_a_pause_is_a_wish_until_the_runner_confirms(act, running):
    reply = act("post", f"/workers/{running.pk}/pause").content.decode()
    running.refresh_from_db()
    assert (running.desired, running.status) == (Wish.PAUSE, WorkerStatus.RUNNING)
    assert running.desired_by == "mira"
    assert "Pausing" in reply
    running.paused()
    assert "Paused" in fragments.card(running).render()


def test_deleting_a_pause_resumes(act, running):
    act("post", f"/workers/{running.pk}/pause")
    assert act("delete", f"/workers/{running.pk}/pause").status_code == 200
    running.refresh_from_db()
    assert running.desired == Wish.RUN


def test_a_plain_form_may_resume_and_comes_back_to_the_workers(operator, running):
    running.request_pause("mira")
    assert operator.post(f"/workers/{running.pk}/resume")["Location"] == "/workers"
    running.refresh_from_db()
    assert running.desired == Wish.RUN


def test_stop_and_remove_takes_the_card_away_when_it_has_ended(act, running):
    assert "Stop and remove" in fragments.card(running).render()
    for _ in range(2):
        assert act("delete", f"/workers/{running.pk}").status_code == 200
    running.refresh_from_db()
    assert (running.desired, running.removed) == (Wish.STOP, True)
    assert f'id="worker-{running.pk}"' in fragments.active().render()  # it still holds its slot
    running.stopped("mira")
    assert f'id="worker-{running.pk}"' not in fragments.active().render()
    assert Worker.objects.filter(pk=running.pk).exists()


def test_the_card_of_an_ended_worker_can_be_removed(act, running):
    running.fail(Reason.CHUNK_FAILED, "no")
    assert "Remove from list" in fragments.active().render()
    reply = act("delete", f"/workers/{running.pk}").content.decode()
    assert f"Worker {running.pk} was removed" in reply
    assert f'id="worker-{running.pk}"' not in fragments.active().render()


def test_stopping_twice_changes_nothing(act, running):
    assert act("post", f"/workers/{running.pk}/stop").status_code == 200
    assert act("post", f"/workers/{running.pk}/stop").status_code == 200
    running.refresh_from_db()
    assert running.desired == Wish.STOP
    assert "Stopping" in fragments.card(running).render()


def test_a_worker_that_stops_cannot_be_paused(act, running):
    act("post", f"/workers/{running.pk}/stop")
    refused = act("post", f"/workers/{running.pk}/pause")
    assert refused.status_code == 409
    assert "is stopping" in refused.content.decode()


@pytest.mark.parametrize("action", ["pause", "resume", "stop", "requeue"])
def test_an_ended_worker_refuses_with_the_reason(act, running, action):
    running.completed()
    refused = act("post", f"/workers/{running.pk}/{action}")
    assert refused.status_code == 409
    assert "already ended" in refused.content.decode()


def test_a_requeued_worker_stops_and_its_spec_waits(act, running):
    reply = act("post", f"/workers/{running.pk}/requeue").content.decode()
    running.refresh_from_db()
    assert (running.desired, running.reason) == (Wish.STOP, Reason.REQUEUED)
    assert WorkerQueue.objects.get().continues == running
    assert "waits in the queue again" in reply


def test_a_failed_worker_is_retried_in_a_new_one(act, running):
    running.fail(Reason.CHUNK_FAILED, "no")
    reply = act("post", f"/workers/{running.pk}/retry")
    again = Worker.objects.latest("pk")
    assert again.continues == running
    assert reply["HX-Redirect"] == f"/workers/{again.pk}"


def test_a_completed_worker_cannot_be_retried(act, running):
    running.completed()
    assert act("post", f"/workers/{running.pk}/retry").status_code == 409


def test_all_are_paused_resumed_and_stopped(act, node):
    workers = [make.worker(slot=slot) for slot in (1, 2, 3)]
    for worker in workers[:2]:
        Worker.claim(worker.pk, 1)
    assert "Asked 3 workers to pause" in act("post", "/workers/pause-all").content.decode()
    assert set(Worker.objects.values_list("desired", flat=True)) == {Wish.PAUSE}
    act("post", "/workers/resume-all")
    assert set(Worker.objects.values_list("desired", flat=True)) == {Wish.RUN}
    act("post", "/workers/stop-all")
    assert list(Worker.objects.order_by("pk").values_list("status", flat=True)) == ["running", "running", "stopped"]
    assert Worker.objects.filter(desired=Wish.STOP, status="running").count() == 2


def test_stopping_all_passes_over_what_is_ending_already(act, running):
    running.request_stop("mira")
    assert act("post", "/workers/pause-all").status_code == 200
    running.refresh_from_db()
    assert running.desired == Wish.STOP


def test_a_worker_page_shows_facts_timeline_and_log(viewer, running):
    chunk = running.chunks.first()
    attempt = Attempt.objects.create(chunk=chunk, number=1, incarnation=1, started_at=running.started_at)
    page = viewer.get(f"/workers/{running.pk}").content.decode()
    assert f'data-topic="worker:{running.pk}"' in page
    assert f'data-attempt="{attempt.pk}"' in page
    assert chunk.title in page


def test_an_attempt_of_another_worker_is_not_shown(viewer, running, node):
    other = make.worker(slot=7)
    foreign = Attempt.objects.create(chunk=other.chunks.first(), number=1, incarnation=1, started_at=running.started_at)
    page = viewer.get(f"/workers/{running.pk}?attempt={foreign.pk}").content.decode()
    assert f'data-attempt="{foreign.pk}"' not in page


@pytest.mark.parametrize("wanted", ["", "x", "-1", "9" * 40, "1.5", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_a_strange_attempt_number_shows_the_newest(viewer, running, wanted):
    assert viewer.get(f"/workers/{running.pk}", {"attempt": wanted}).status_code == 200


def test_a_hostile_title_is_only_text(viewer, node):
    spec = make.spec(title="<script>alert(1)</script>\"'")
    worker = make.worker(spec=spec, slot=1)
    dispatch.enqueue(make.spec(title="<img src=x onerror=alert(2)>"), by="mira")
    for path in ("/workers", f"/workers/{worker.pk}", f"/specs/{spec.pk}", "/specs", "/queue"):
        page = viewer.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_a_stuck_worker_asks_for_a_person_in_the_title_and_the_card(viewer, running):
    Worker.objects.filter(pk=running.pk).update(attention="No output for 10m", step=Step.EXECUTING)
    page = viewer.get("/workers").content.decode()
    assert "Needs attention" in page
    assert 'data-attention="1"' in page
    assert "No output for 10m" in page
