"""Merge and Retry where ended workers are listed, and what is said of their branches there."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from dashboard.live.outbox import Change
from dashboard.live.topics import Region, changed, parse
from dashboard.pages import fragments
from dashboard.pages.landings import standings_of
from tests.support import make
from workers.models import Attempt, Landing, Worker
from workers.models.landing import refusal
from workers.states import AttemptStatus, ChunkOutcome, EventKind, LandingKind, Reason

pytestmark = pytest.mark.django_db
Act = Callable[..., HttpResponse]


def ended(slot: int = 1, *, passed: int = 1, fails: bool = False, branch: str = "spec/job-1") -> Worker:
    accepted = make.worker("true", "true", slot=slot, project=make.project(Path("/nowhere"), isolation="worktree"))
    worker = Worker.claim(accepted.pk, 1)
    assert worker is not None
    worker.prepared("/nowhere", branch, "a" * 40)
    for chunk in worker.chunks.order_by("ordinal")[:passed]:
        attempt = Attempt.open(worker, chunk)
        attempt.close(worker, AttemptStatus.PASSED, ChunkOutcome.PASSED, commit="b" * 40)
    if fails:
        worker.fail(Reason.CHUNK_FAILED, "It failed.")
    else:
        worker.completed()
    return worker


def card(worker: Worker) -> str:
    return fragments.card(Worker.objects.select_related("project", "node").get(pk=worker.pk)).render()


def has_merge(text: str, worker: Worker) -> bool:
    return f'hx-post="/workers/{worker.pk}/merge"' in text


def has_button(text: str, name: str, worker: Worker) -> bool:
    return f'id="{name}-{worker.pk}"' in text


def test_the_card_of_a_completed_worker_has_merge(node: object) -> None:
    worker = ended()
    assert has_button(card(worker), "merge", worker)
    assert not has_button(card(worker), "retry", worker)
    assert f'href="/workers/{worker.pk}/discard"' in card(worker)


def test_the_card_of_a_failed_worker_has_retry_and_merge_in_its_menu(node: object) -> None:
    worker = ended(fails=True)
    text = card(worker)
    assert has_button(text, "retry", worker)
    assert not has_button(text, "merge", worker)
    assert has_merge(text, worker)


def test_nothing_is_merged_where_nothing_has_passed_or_there_is_no_branch(node: object) -> None:
    first, second = ended(passed=0, fails=True), ended(2, branch="")
    assert not has_merge(card(first), first)
    assert not has_merge(card(second), second)
    assert "/discard" in card(first)
    assert "/discard" not in card(second)


def test_a_worker_at_work_has_neither(running: Worker) -> None:
    running.prepared("/nowhere", "spec/job-1", "a" * 40)
    assert not has_merge(card(running), running)
    assert "/discard" not in card(running)


def test_merging_from_the_card_is_said_on_it(node: object, act: Act) -> None:
    worker = ended()
    text = act("post", f"/workers/{worker.pk}/merge").content.decode()
    assert f'hx-target="#worker-{worker.pk}"' in text
    assert "merging spec/job-1, asked by mira" in text
    assert not has_merge(text, worker)
    Landing.objects.get().succeeded("c" * 40)
    assert "merged by mira as cccccccccc" in card(worker)
    assert not has_merge(card(worker), worker)


def test_a_merge_that_failed_is_said_and_can_be_tried_again(node: object) -> None:
    worker = ended()
    Landing.ask(worker, LandingKind.MERGE, "mira").failed("It conflicts in 1 file.", [("a.txt", "both added it")])
    text = card(worker)
    assert "could not merge: It conflicts in 1 file.</span>" in text
    assert has_merge(text, worker)


def test_what_was_discarded_is_said_and_over(node: object) -> None:
    worker = ended()
    Landing.ask(worker, LandingKind.DISCARD, "mira").succeeded()
    text = card(worker)
    assert "spec/job-1 was discarded by mira" in text
    assert not has_merge(text, worker)
    assert "/discard" not in text


def test_just_finished_has_merge_and_says_what_was_merged(node: object) -> None:
    worker = ended()
    assert has_button(fragments.finished().render(), "merge-finished", worker)
    landing = Landing.ask(worker, LandingKind.MERGE, "mira")
    assert ">merging</span>" in fragments.finished().render()
    landing.succeeded("c" * 40)
    assert ">merged</span>" in fragments.finished().render()


def test_a_landing_reaches_the_list_of_the_finished(node: object) -> None:
    topics = parse("workers")
    told = Change(EventKind.WORKER_PROGRESS, 7, {"landing": "merge"})
    assert Region("finished") in changed(told, topics)
    assert Region("card", 7) in changed(told, topics)
    assert Region("finished") not in changed(Change(EventKind.WORKER_PROGRESS, 7, {"outcome": "passed"}), topics)


def test_the_list_says_of_each_what_its_verb_would(node: object) -> None:
    free, under_way, merged, refused, discarded, continued, bare = (
        ended(slot, branch="" if slot == 7 else f"spec/job-{slot}") for slot in range(1, 8)
    )
    Landing.ask(under_way, LandingKind.MERGE, "mira")
    Landing.ask(merged, LandingKind.MERGE, "mira").succeeded("c" * 40)
    Landing.ask(refused, LandingKind.DISCARD, "mira").failed("No.")
    Landing.ask(discarded, LandingKind.DISCARD, "mira").succeeded()
    Worker.objects.filter(pk=bare.pk).update(continues=continued)
    workers = list(Worker.objects.order_by("pk"))
    with CaptureQueriesContext(connection) as queries:
        found = standings_of(workers)
    assert len(queries) == 2
    can_land = {worker.pk for worker in workers if worker.pk in found and found[worker.pk].can_land}
    assert can_land == {worker.pk for worker in workers if not refusal(worker)} - {under_way.pk}
    assert can_land == {free.pk, merged.pk, refused.pk}
    assert {pk for pk in found if found[pk].can_merge} == {free.pk, refused.pk}
