"""From the commit to the page."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from dashboard.live import bells, drawing
from dashboard.live.topics import SLOW
from dashboard.pages import cards
from queue_app import dispatch
from queue_app.models import WorkerQueue
from tests.live.conftest import in_database
from tests.support import make
from workers import publisher
from workers.models import Attempt, Worker
from workers.models.event import emit, unit_of_work
from workers.states import EventKind

pytestmark = pytest.mark.django_db(transaction=True)


def running(*commands: str) -> tuple[Worker, Attempt]:
    """A worker in the middle of its first chunk."""
    accepted = make.worker(*commands or ("true",))
    worker = Worker.claim(accepted.pk, accepted.epoch)
    assert worker is not None
    worker.prepared("/tmp")
    return worker, Attempt.open(worker, worker.chunks.get(ordinal=1))


@unit_of_work
def say(kind: EventKind, **data: str) -> None:
    """An event after which nothing looks different."""
    emit(kind, **data)


async def test_a_new_page_gets_its_regions_whole(open_page):
    page = await open_page("workers")
    names = {"nav-workers", "status-line", "slot-meter", "worker-controls", "capacity", "workers-active"}
    assert set(page.regions) == names | {"queue", "finished"}
    assert len(page.messages) == 1


async def test_a_commit_reaches_the_page(open_page):
    page = await open_page("workers")
    entry = await in_database(lambda: dispatch.enqueue(make.spec(title="Tidy the attic"), by="mira"))
    assert isinstance(entry, WorkerQueue)
    await page.until_shows("queue", "Tidy the attic")
    assert page.beacons[-1]["seq"] >= 0


async def test_what_an_agent_uses_is_shown_while_it_is_at_work_and_only_then(open_page):
    worker, attempt = await in_database(running)
    await in_database(attempt.with_profile, worker, "codex")
    profiles, own = await open_page("profiles"), await open_page(f"worker:{worker.pk}")
    for tokens, told in ((184_000, "184k <i>"), (1_300_000, "1.3M <i>")):
        await in_database(attempt.used, worker, tokens, 0, Decimal("1.92"))
        await profiles.until_shows("profile-usage", told, timeout=SLOW["profile_usage"] + 2)
        await own.until_shows(f"worker-{worker.pk}-facts", told, timeout=2)
        await own.until_shows(f"worker-{worker.pk}-timeline", told, timeout=2)
    profiles.messages.clear()
    await in_database(attempt.output, worker, 12, 1, "counting the beans")
    await in_database(dispatch.pause_queue, "mira")
    await profiles.until_shows("status-line", "paused")
    assert not any("profile-usage" in message for message in profiles.messages)


async def test_progress_of_a_worker_is_sent_as_its_card_alone(open_page):
    worker, attempt = await in_database(running)
    page = await open_page("workers")
    page.messages.clear()
    await in_database(attempt.output, worker, 12, 1, "counting the beans")
    await page.until_shows(f"worker-{worker.pk}", "counting the beans")
    assert page.messages == [{f"worker-{worker.pk}": page.regions[f"worker-{worker.pk}"]}]


async def test_a_card_shows_the_last_line_until_the_review_prints_one(open_page):
    worker, attempt = await in_database(running)
    page, card = await open_page("workers"), f"worker-{worker.pk}"
    await in_database(attempt.output, worker, 12, 1, "counting the beans")
    await in_database(attempt.begin_review, worker)
    await in_database(attempt.output, worker, 33, 2, "")  # the runner's own line, before the review's first
    await page.until_shows(card, "reviewing")
    await in_database(attempt.output, worker, 40, 3, "each bean is there")
    await page.until_shows(card, "each bean is there")
    said = [message[card] for message in page.messages if card in message]
    assert not any("no output yet" in text for text in said)


async def test_the_page_of_a_worker_gets_its_regions_and_not_those_of_others(open_page):
    worker, _attempt = await in_database(running)
    other, _ = await in_database(running)
    page = await open_page(f"worker:{worker.pk}")
    mine = {f"worker-{worker.pk}-{name}" for name in ("head", "facts", "attention", "words", "timeline", "branch")}
    assert set(page.regions) == mine | {"nav-workers", "status-line"}
    page.messages.clear()
    await in_database(other.request_pause, "mira")
    await in_database(worker.request_pause, "mira")
    await page.until_shows(f"worker-{worker.pk}-head", "Pausing")
    assert not any(f"worker-{other.pk}" in target for message in page.messages for target in message)


async def test_every_page_counts_the_active_workers(open_page):
    page = await open_page("")
    assert set(page.regions) == {"nav-workers", "status-line"}
    await in_database(running)
    await page.until_shows("nav-workers", "(1)")


async def test_many_changes_become_few_messages_of_which_the_last_is_right(open_page):
    worker, attempt = await in_database(running)
    page = await open_page("workers")
    page.messages.clear()

    def burst() -> None:
        for number in range(60):
            attempt.output(worker, number, number, f"line {number} of many")

    loop = asyncio.get_running_loop()
    began = loop.time()
    burst_task = asyncio.create_task(in_database(burst))
    await page.until_shows(f"worker-{worker.pk}", "line 59 of many")
    await burst_task
    took = loop.time() - began
    assert len(page.messages) <= took / 0.1 + 2


async def test_a_region_that_looks_as_before_is_not_sent_again(open_page):
    page = await open_page("workers")
    page.messages.clear()
    await in_database(say, EventKind.SETTINGS_CHANGED)
    await in_database(say, EventKind.QUEUE_UPDATED, action="changed")
    await in_database(dispatch.pause_queue, "mira")
    await page.until_shows("queue", "Resume queue")
    sent = [target for message in page.messages for target in message]
    assert "slot-meter" not in sent
    assert "nav-workers" not in sent
    assert sent.count("queue") == 1


async def test_a_lost_bell_costs_a_tick(open_page, monkeypatch):
    page = await open_page("workers")
    monkeypatch.setattr(publisher, "events_changed", lambda seq: None)
    loop = asyncio.get_running_loop()
    await in_database(dispatch.pause_queue, "mira")
    began = loop.time()
    await page.until_shows("queue", "Resume queue")
    assert loop.time() - began < bells.TICK + 0.5


async def test_the_card_of_an_ended_worker_leaves_when_its_time_is_over(open_page, monkeypatch):
    worker, _ = await in_database(running)
    page = await open_page("workers")
    monkeypatch.setattr(cards, "LINGER", timedelta(seconds=1))
    monkeypatch.setattr(drawing, "LINGER", timedelta(seconds=1))
    await in_database(worker.completed)
    await page.until_shows("workers-active", "Completed")
    await page.until(lambda: f'id="worker-{worker.pk}"' not in page.regions["workers-active"])


async def test_the_time_before_which_an_entry_must_not_start_passes(open_page, monkeypatch):
    monkeypatch.setattr(dispatch, "fill_slots", list)
    soon = timezone.now() + timedelta(seconds=1)
    await in_database(lambda: dispatch.enqueue(make.spec(), by="mira", not_before=soon))
    page = await open_page("workers")
    assert "Not before" in page.regions["queue"]
    await page.until(lambda: "Not before" not in page.regions["queue"])


async def test_the_page_of_a_spec_follows_its_runs(open_page):
    spec = await in_database(make.spec)
    page = await open_page(f"spec:{spec.pk}")
    assert {f"spec-{spec.pk}-head", f"spec-{spec.pk}-work"} < set(page.regions)
    await in_database(dispatch.pause_queue, "mira")
    await in_database(dispatch.enqueue, spec, by="mira")
    await page.until_shows(f"spec-{spec.pk}-head", "In the queue")
    await in_database(WorkerQueue.objects.all().delete)
    accepted = await in_database(make.worker, spec=spec)
    await page.until_shows(f"spec-{spec.pk}-head", f"Running in worker {accepted.pk}")
    await in_database(accepted.fail, "chunk_failed", "no")
    await page.until_shows(f"spec-{spec.pk}-work", "A chunk failed")


async def test_the_list_of_specs_follows_each_of_them(open_page):
    spec, other = await in_database(make.spec), await in_database(make.spec)
    await in_database(dispatch.pause_queue, "mira")
    page = await open_page("specs")
    assert all(f'id="spec-{one.pk}"' in page.regions["spec-list"] for one in (spec, other))
    page.messages.clear()
    entry = await in_database(dispatch.enqueue, spec, by="mira")
    await page.until_shows(f"spec-{spec.pk}", "In the queue")
    assert not any({f"spec-{other.pk}", "spec-list"} & set(message) for message in page.messages)
    await in_database(dispatch.remove, entry.pk, "mira")
    await page.until(lambda: "In the queue" not in page.regions[f"spec-{spec.pk}"])
    assert not any({f"spec-{other.pk}", "spec-list"} & set(message) for message in page.messages)


async def test_the_list_of_specs_gains_and_loses_them(open_page):
    spec = await in_database(make.spec, title="Mail")
    pages = [await open_page(topics) for topics in ("specs", "specs:q=mail", "specs:q=post")]
    await in_database(make.spec, title="Mail by post")
    for page in pages:
        await page.until_shows("spec-list", "Mail by post")
    assert [f'id="spec-{spec.pk}"' in page.regions["spec-list"] for page in pages] == [True, True, False]
    await in_database(spec.remove)
    for page in pages[:2]:
        await page.until(lambda page=page: ">Mail<" not in page.regions["spec-list"])


async def test_the_list_of_projects_follows_them_and_their_specs(open_page):
    page = await open_page("projects")
    project = await in_database(make.project)
    await page.until_shows("project-list", project.name)
    await in_database(make.spec, project=project)
    await page.until_shows("project-list", 'data-label="Specs">1</td>')
    project.max_workers = 7
    await in_database(project.save)
    await page.until_shows("project-list", 'data-label="Limit">7</td>')
    await in_database(project.remove)
    await page.until_shows("project-list", "No projects yet")


async def test_the_page_of_a_spec_follows_the_settings_of_its_project(open_page):
    spec = await in_database(make.spec)
    page = await open_page(f"spec:{spec.pk}")
    spec.project.review_command = "make review"
    await in_database(spec.project.save)
    await page.until_shows(f"spec-{spec.pk}-work", "make review")


async def test_the_history_learns_that_a_worker_has_ended(open_page):
    worker, _ = await in_database(running)
    page = await open_page("history")
    assert 'data-newest="0"' in page.regions["newest-finished"]
    await in_database(worker.completed)
    await page.until_shows("newest-finished", f'data-newest="{worker.pk}"')
