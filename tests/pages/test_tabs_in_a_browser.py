"""The tabs of a worker's page, and its changes while it works, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from tests.live.conftest import in_database
from tests.pages.test_behaviour import Visit, chromium, valkey, visit, web  # noqa: F401
from tests.support import make
from tests.support.repository import commit, git, repository
from workers.models import Attempt, Worker
from workers.states import AttemptStatus, ChunkOutcome

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


def at_work(source: Path) -> Worker:
    """A worker with a branch of which nothing has passed yet."""
    make.node()
    accepted = make.worker("true", "true", project=make.project(source, isolation="worktree"), slot=1)
    worker = Worker.claim(accepted.pk, 1)
    assert worker is not None
    worker.prepared(str(source), "main", git(source, "rev-parse", "HEAD"))
    return worker


def passes(worker: Worker, ordinal: int, at: str) -> None:
    """A chunk passes, and its work is committed."""
    chunk = worker.chunks.get(ordinal=ordinal)
    attempt = Attempt.open(worker, chunk)
    attempt.close(worker, AttemptStatus.PASSED, ChunkOutcome.PASSED, commit=at)


def tab(page: Page, name: str):
    return page.get_by_role("tab", name=name)


async def test_the_arrows_go_from_tab_to_tab_and_enter_opens_one(visit: Visit, source: Path) -> None:  # noqa: F811
    worker = await in_database(at_work, source)
    page = await visit(f"/workers/{worker.pk}")
    await expect(tab(page, "Log")).to_have_attribute("aria-selected", "true")
    await tab(page, "Log").focus()
    await page.keyboard.press("ArrowRight")
    await expect(tab(page, "Changes")).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await expect(tab(page, "Log")).to_be_focused()
    await page.keyboard.press("End")
    await page.keyboard.press("Home")
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/workers/{worker.pk}/changes")
    await expect(tab(page, "Changes")).to_have_attribute("aria-selected", "true")
    await expect(page.get_by_role("tabpanel", name="Changes")).to_contain_text("Nothing has been committed yet")
    await tab(page, "Changes").press("ArrowLeft")
    await page.keyboard.press("Space")
    await page.wait_for_url(f"**/workers/{worker.pk}")


async def test_one_stop_of_the_tab_key_is_enough_for_all_tabs(visit: Visit, source: Path) -> None:  # noqa: F811
    worker = await in_database(at_work, source)
    page = await visit(f"/workers/{worker.pk}/changes")
    await tab(page, "Changes").focus()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Whole worker")).to_be_focused()


async def test_the_numbers_on_the_tab_follow_when_a_chunk_passes(visit: Visit, source: Path) -> None:  # noqa: F811
    worker = await in_database(at_work, source)
    page = await visit(f"/workers/{worker.pk}")
    await expect(tab(page, "Changes")).to_have_text("Changes")
    await in_database(passes, worker, 1, commit(source, a="one\ntwo\n"))
    await expect(tab(page, "Changes")).to_have_text("Changes +1 -0")
    await in_database(passes, worker, 2, commit(source, a="three\n"))
    await expect(tab(page, "Changes")).to_have_text("Changes +1 -1")


async def test_the_list_follows_too_and_leaves_what_is_open(visit: Visit, source: Path) -> None:  # noqa: F811
    worker = await in_database(at_work, source)
    page = await visit(f"/workers/{worker.pk}/changes")
    await in_database(passes, worker, 1, commit(source, a="one\ntwo\n", long="line\n" * 500))
    files = page.locator(".diff-file")
    await expect(files).to_have_count(2)
    first, long = files.nth(0), files.nth(1)
    await first.locator("summary").click()
    await long.locator("summary").click()
    await expect(long.locator("tr.diff-added")).to_have_count(500)
    kept = await long.locator(".diff").element_handle()
    await in_database(passes, worker, 2, commit(source, b="new\n"))
    await expect(files).to_have_count(3)
    await expect(page.locator(".diff-file > summary .name")).to_have_text(["a.txt", "b.txt", "long.txt"])
    await expect(first).not_to_have_attribute("open", "")
    assert kept is not None
    assert await kept.evaluate("one => one.isConnected")
    await expect(files.nth(2).locator("tr.diff-added")).to_have_count(500)


async def test_files_are_filtered_while_one_types(visit: Visit, source: Path) -> None:  # noqa: F811
    worker = await in_database(at_work, source)
    await in_database(passes, worker, 1, commit(source, a="two\n", b="b\n"))
    page = await visit(f"/workers/{worker.pk}/changes?layout=split")
    await page.get_by_role("searchbox", name="Filter files").press_sequentially("b.t")
    await expect(page.locator(".diff-file > summary .name")).to_have_text(["b.txt"])
    await expect(page.locator(".diff-split")).to_have_count(1)
    await expect(page.get_by_role("searchbox", name="Filter files")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/changes?layout=split&q=b.t")


NAMES = ".diff-file > summary .name"


async def test_what_was_typed_stays_when_a_chunk_passes(visit: Visit, source: Path) -> None:  # noqa: F811
    worker = await in_database(at_work, source)
    await in_database(passes, worker, 1, commit(source, a="two\n", b="b\n"))
    page = await visit(f"/workers/{worker.pk}/changes?layout=split&file=a.txt")
    field = page.get_by_role("searchbox", name="Filter files")
    await field.press_sequentially("b.t")
    await expect(page.locator(NAMES)).to_have_text(["b.txt"])
    await in_database(passes, worker, 2, commit(source, a="three\n", ab="new\n"))
    await expect(page.locator(NAMES)).to_have_text(["ab.txt", "b.txt"])
    await expect(field).to_have_value("b.t")
    await expect(field).to_be_focused()
    await expect(tab(page, "Changes")).to_have_text("Changes +3 -1")


async def test_what_is_just_being_typed_stays_when_a_chunk_passes(visit: Visit, source: Path) -> None:  # noqa: F811
    worker = await in_database(at_work, source)
    await in_database(passes, worker, 1, commit(source, a="two\n", b="b\n"))
    page = await visit(f"/workers/{worker.pk}/changes")
    field = page.get_by_role("searchbox", name="Filter files")
    await field.evaluate("field => { field.value = 'b.t'; }")  # typed, and not sent yet
    await in_database(passes, worker, 2, commit(source, a="three\n", ab="new\n"))
    await expect(page.locator(NAMES)).to_have_text(["ab.txt", "b.txt"])
    await expect(field).to_have_value("b.t")


async def test_an_older_list_never_takes_the_place_of_what_was_typed(visit: Visit, source: Path) -> None:  # noqa: F811
    worker = await in_database(at_work, source)
    await in_database(passes, worker, 1, commit(source, a="two\n", b="b\n"))
    page = await visit(f"/workers/{worker.pk}/changes")
    held: list[Route] = []

    async def hold(route: Route) -> None:
        if re.search(r"\bq=[^&]", route.request.url):
            await route.continue_()
        else:
            held.append(route)

    await page.route(re.compile(rf"/workers/{worker.pk}/changes\?"), hold)
    async with page.expect_request(re.compile(r"/changes\?")):
        await in_database(passes, worker, 2, commit(source, a="three\n", ab="new\n"))
    async with page.expect_event("requestfailed") as ended:
        await page.get_by_role("searchbox", name="Filter files").press_sequentially("b.t")
    assert [route.request for route in held] == [await ended.value]
    await expect(page.locator(NAMES)).to_have_text(["ab.txt", "b.txt"])


async def test_a_chunk_brings_its_files_when_it_is_opened(visit: Visit, source: Path) -> None:  # noqa: F811
    worker = await in_database(at_work, source)
    await in_database(passes, worker, 1, commit(source, a="two\n", b="b\n", long="line\n" * 500))
    page = await visit(f"/workers/{worker.pk}/changes?by=chunk")
    folds = page.locator("details[id^='changes-']")
    await expect(folds).to_have_count(1)
    await expect(page.locator(NAMES)).to_have_count(0)
    await folds.nth(0).locator("summary").first.click()
    await expect(page.locator(NAMES)).to_have_text(["a.txt", "b.txt", "long.txt"])
    await page.locator(".diff-file summary", has_text="long.txt").click()
    await expect(page.locator("tr.diff-added")).to_have_count(502)
    kept = await page.locator("tr.diff-added").first.element_handle()
    await in_database(passes, worker, 2, commit(source, b="more\n"))
    await expect(folds).to_have_count(2)
    await expect(page.locator("tr.diff-added")).to_have_count(502)  # what is open stays as it is
    assert kept is not None
    assert await kept.evaluate("one => one.isConnected")
    await folds.nth(1).locator("summary").first.press("Enter")
    await expect(page.locator(NAMES)).to_have_text(["a.txt", "b.txt", "long.txt", "b.txt"])
    await page.get_by_role("searchbox", name="Filter files").press_sequentially("b.t")
    await expect(page.locator(NAMES)).to_have_text(["b.txt", "b.txt"])
    await page.get_by_role("searchbox", name="Filter files").fill("long")
    await expect(folds).to_have_count(1)
    await expect(page.locator(NAMES)).to_have_text(["long.txt"])


async def test_a_page_without_scripts_has_every_tab_and_every_line(visit: Visit, source: Path, web) -> None:  # noqa: F811
    worker = await in_database(at_work, source)
    await in_database(passes, worker, 1, commit(source, a="two\n", long="line\n" * 500))
    live = await visit()
    browser = live.context.browser
    assert browser is not None
    context = await browser.new_context(java_script_enabled=False)
    await context.add_cookies(await live.context.cookies())
    page = await context.new_page()
    await page.goto(f"{web.url}/workers/{worker.pk}")
    await tab(page, "Changes").click()
    await page.locator(".diff-file summary", has_text="long.txt").click()
    await page.get_by_role("link", name="Show its lines").click()
    await expect(page.locator("tr.diff-added")).to_have_count(500)
    await page.get_by_role("link", name="Per chunk").click()
    await page.locator(".diff-file summary").click()
    await page.get_by_role("link", name="Show its files").click()
    await expect(page.locator(NAMES)).to_have_text(["a.txt", "long.txt"])
    await context.close()
