"""What the page of a worker says to who cannot see it, in a real browser."""
# ruff: noqa: F811, F401 - fixtures that other files define

import pytest
from playwright.async_api import expect

from tests.live.conftest import in_database
from tests.pages.test_behaviour import chromium, valkey, visit, web
from tests.pages.test_talking import ask, attempt, entries, of, page, tell
from tests.support import make
from tests.support.transcript import line
from workers.models import Attempt, Question, Worker
from workers.states import AttemptStatus, ChunkOutcome

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIVE = "#main :is([role=status], [role=alert], [aria-live]:not([aria-live=off]), output):not(.notice-stale)"


def said(page):
    return page.locator("[data-announcer]")


def end(attempt: Attempt) -> None:
    worker = Worker.objects.get()
    attempt = Attempt.objects.select_related("chunk").get(pk=attempt.pk)
    attempt.close(worker, AttemptStatus.PASSED, ChunkOutcome.PASSED)


async def test_one_region_tells_what_matters_and_nothing_of_what_is_said(page, attempt):
    worker = await of(attempt)
    tell(attempt, line("text", id="1", text="I look at the tests"))
    await expect(entries(page)).to_have_count(1)
    await expect(said(page)).to_be_empty()
    await in_database(worker.waits, "The provider limits requests until 14:05.")
    await ask(title="Delete the cache")
    await expect(said(page)).to_contain_text(f"Worker {worker.pk} needs attention: Delete the cache")
    assert await page.locator(LIVE).count() == 1
    tell(attempt, line("text", id="1", text=" first"))
    await expect(entries(page)).to_contain_text("tests first")
    await expect(said(page)).to_be_empty()  # nothing is said for ever
    await in_database(end, attempt)
    await expect(said(page)).to_contain_text("Chunk 1, One: Passed.")


async def test_what_was_there_when_the_page_was_opened_is_not_announced(page, attempt):
    await ask(title="Delete the cache")
    await expect(said(page)).to_contain_text("Delete the cache")
    await page.reload()
    await expect(page.locator("body")).to_have_attribute("data-live", "live")
    worker = await of(attempt)
    await in_database(worker.waits, "The provider limits requests until 14:05.")
    await expect(page.get_by_text("The provider limits requests until 14:05.").first).to_be_visible()
    await expect(said(page)).to_have_text(f"Worker {worker.pk} waits by itself.")


async def test_two_things_at_once_are_one_message_and_what_is_settled_meanwhile_is_none(page):
    await ask(title="First")
    await expect(said(page)).to_contain_text("First")
    second = await ask(title="Second")
    await ask(title="Third")
    await expect(page.locator(".attention")).to_have_count(3)
    await in_database(lambda: Question.objects.get(pk=second.pk).respond("no", "", "ines"))
    await expect(page.locator(".attention")).to_have_count(2)
    await expect(said(page)).to_contain_text("First")  # at most one message every 5 s
    await expect(said(page)).to_contain_text("Third")
    await expect(said(page)).not_to_contain_text("Second")


def start(slot: int) -> Worker:
    accepted = make.worker("true", slot=slot, title=f"Spec {slot}")
    worker = Worker.claim(accepted.pk, accepted.epoch)
    assert worker is not None
    return worker


async def test_the_page_of_the_workers_tells_who_starts_needs_somebody_and_ends(visit):
    first = await in_database(start, 1)
    page = await visit()
    await in_database(first.request_pause, "ines")
    second = await in_database(start, 2)
    await expect(said(page)).to_have_text(f"Worker {second.pk} started: Spec 2.")
    await in_database(make.question, first, title="Delete the cache")
    await expect(said(page)).to_have_text(f"Worker {first.pk} needs attention: Delete the cache")
    await in_database(second.completed)
    await expect(said(page)).to_have_text(f"Worker {second.pk}, Spec 2: Completed.")
