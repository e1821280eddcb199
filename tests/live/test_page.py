"""The live page in a real browser, with a real web process that is killed, hangs, and comes back."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.sessions.models import Session
from playwright.async_api import Browser, Page, expect

from queue_app import dispatch
from specs import importing
from specs.models import Project, Spec
from tests.live.conftest import in_database
from tests.support import make
from tests.support.web import Web, session_cookie
from workers.models import Attempt, Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SECONDS = 1000
Visit = Callable[..., Awaitable[Page]]
NO_WEBSOCKETS = """
window.WebSocket = class extends EventTarget {
  constructor() {
    super();
    this.readyState = 3;
    setTimeout(() => this.dispatchEvent(new CloseEvent("close", { code: 1006 })));
  }
  close() {}
};
"""
COUNTED = """
window.count = { WebSocket: 0, fetch: 0 };
window.WebSocket = class extends WebSocket { constructor(...all) { super(...all); count.WebSocket += 1; } };
window.fetch = new Proxy(fetch, { apply: (real, self, all) => { count.fetch += 1; return real.apply(self, all); } });
"""


@pytest_asyncio.fixture
async def visit(chromium: Browser, web: Web) -> AsyncIterator[Visit]:
    """Opens a page as somebody who has signed in; fails the test when one of our scripts failed."""
    context = await chromium.new_context()
    cookie = await in_database(session_cookie)
    await context.add_cookies([{"name": "specyard_session", "value": cookie, "url": web.url}])
    problems: list[str] = []

    async def open_page(path: str = "/workers", script: str = "", late: str = "") -> Page:
        page = await context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        if script:
            await page.add_init_script(script)
        if late:
            await page.route(f"**/{late}", comes_late)
        await page.goto(web.url + path)
        await is_live(page)
        return page

    yield open_page
    await context.close()
    assert problems == []


async def is_live(page: Page, state: str = "live", seconds: float = 9) -> None:
    """Within less than the 10 s after which a beacon would hide that something was missed."""
    await expect(page.locator("body")).to_have_attribute("data-live", state, timeout=seconds * SECONDS)


async def comes_late(route: Any, request: Any) -> None:
    """Let htmx process the page before this script arrives."""
    await request.frame.page.wait_for_selector("[data-htmx-powered]", state="attached")
    await route.continue_()


async def queue_shows(page: Page, text: str) -> None:
    await expect(page.locator("#queue")).to_contain_text(text)


async def spec_waits(title: str) -> None:
    await in_database(lambda: dispatch.enqueue(make.spec(title=title), by="mira"))


async def running() -> Worker:
    accepted = await in_database(make.worker)
    return await in_database(Worker.claim, accepted.pk, accepted.epoch)


async def test_a_change_appears_without_a_reload(visit):
    page = await visit()
    await page.evaluate("window.same = true")
    await spec_waits("Tidy the attic")
    await queue_shows(page, "Tidy the attic")
    assert await page.evaluate("window.same")


async def test_an_open_menu_survives_an_update(visit):
    await spec_waits("First")
    page = await visit()
    await page.locator("#queue [popovertarget]").first.click()
    menu = page.locator("#queue .menu").first
    await expect(menu).to_be_visible()
    await spec_waits("Second")
    await queue_shows(page, "Second")
    await expect(menu).to_be_visible()


async def test_a_killed_web_process_makes_the_page_stale_and_its_return_makes_it_right(visit, web):
    page = await visit()
    web.kill()
    await is_live(page, "stale", seconds=15)
    notice = page.locator(".notice-stale").first
    await expect(notice).to_be_visible()
    assert (await notice.locator("[data-stale-since]").inner_text()).count(":") == 2
    await spec_waits("Meanwhile")
    await asyncio.to_thread(web.start)
    await queue_shows(page, "Meanwhile")
    await is_live(page)
    await expect(notice).to_be_hidden()


async def test_a_web_process_that_hangs_makes_the_page_stale(visit, web):
    page = await visit()
    web.signal(signal.SIGSTOP)
    await is_live(page, "stale", seconds=15)
    web.signal(signal.SIGCONT)
    await is_live(page)
    await spec_waits("Afterwards")
    await queue_shows(page, "Afterwards")


async def test_try_now_connects_at_once(visit, web):
    page = await visit()
    web.kill()
    await is_live(page, "stale", seconds=15)
    await asyncio.to_thread(web.start)
    await page.evaluate("document.querySelector('[data-live-retry]').click()")
    await is_live(page, seconds=1)


async def test_without_websockets_the_page_polls_and_is_live(visit):
    page = await visit(script=NO_WEBSOCKETS)
    await spec_waits("By another road")
    await queue_shows(page, "By another road")


@pytest.mark.parametrize("late", ["hx-ws.min.js", "live.js", "live-badge.js"])
async def test_a_script_that_comes_late_does_not_keep_the_page_from_its_socket(visit, late):
    page = await visit(script=COUNTED, late=late)
    assert await page.evaluate("[count.WebSocket, count.fetch]") == [1, 0]


async def test_a_grabbed_row_is_left_alone_until_it_is_dropped(visit):
    for title in ("First", "Second"):
        await spec_waits(title)
    page = await visit()
    rows = page.locator(".queue-row")
    await rows.first.locator("[data-grip]").focus()
    await page.keyboard.press("Space")
    await expect(page.locator("body")).to_have_attribute("data-grabbed", "true")
    await spec_waits("Third")
    await in_database(make.worker)
    await expect(page.locator("#nav-workers")).to_contain_text("(1)")  # what was sent later has arrived
    await expect(rows).to_have_count(2)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Space")
    await expect(rows).to_have_count(3)
    await expect(rows.first.locator(".title")).to_have_text("Second")


async def test_the_page_of_a_worker_follows_it(visit):
    accepted = await in_database(make.worker)
    page = await visit(f"/workers/{accepted.pk}")
    head, facts = page.locator(f"#worker-{accepted.pk}-head"), page.locator(f"#worker-{accepted.pk}-facts")
    worker = await in_database(Worker.claim, accepted.pk, accepted.epoch)
    await expect(head).to_contain_text("Running")
    await in_database(lambda: Attempt.open(worker, worker.chunks.get(ordinal=1)))
    await expect(facts).to_contain_text("1/1")
    await in_database(worker.request_stop, "mira")
    await expect(head).to_contain_text("Stopping")


async def test_a_reply_that_was_overtaken_does_not_stay(visit):
    worker = await running()
    page = await visit()
    card = page.locator(f"#worker-{worker.pk}")

    async def late(route: Any) -> None:
        reply = await route.fetch()  # says "Pausing"
        await in_database(lambda: Worker.objects.get(pk=worker.pk).paused())
        await expect(card).to_have_attribute("data-status", "paused")
        await route.fulfill(response=reply)

    await page.route("**/pause", late)
    async with page.expect_response("**/pause"):
        await page.locator(f"#pause-{worker.pk}").click()
    await expect(card.locator(".chip")).to_contain_text("Paused")
    await expect(card).to_have_attribute("data-status", "paused")


async def test_who_signed_out_elsewhere_is_sent_to_the_sign_in_page(visit):
    page = await visit()
    await in_database(Session.objects.all().delete)
    await page.wait_for_url("**/sign-in*", timeout=15 * SECONDS)


async def test_the_page_of_a_spec_follows_its_run_and_keeps_what_is_unfolded(visit):
    accepted = await in_database(make.worker)
    page = await visit(f"/specs/{accepted.spec_id}")
    await expect(page.locator("h1 + .chip")).to_contain_text(f"worker {accepted.pk}")
    await expect(page.get_by_role("button", name="Run All")).to_be_disabled()
    await page.locator(".chunk-table summary").first.click()
    await in_database(accepted.fail, "chunk_failed", "no")
    await expect(page.locator(".runs")).to_contain_text("A chunk failed")
    await expect(page.get_by_role("button", name="Run All")).to_be_enabled()
    await expect(page.locator(".chunk-table details").first).to_have_attribute("open", "")


def import_spec(folder: Path, title: str) -> None:
    """As the command line does it."""
    (folder / ".specyard").mkdir(exist_ok=True)
    (folder / ".specyard" / f"{title.lower().replace(' ', '-')}.yaml").write_text(
        f"title: {title}\nchunks: [{{title: One, params: {{run: 'true'}}}}]\n"
    )
    importing.import_path(folder)


async def test_open_lists_gain_and_lose_specs_that_somebody_else_writes(visit, tmp_path):
    every, some, projects = await visit("/specs"), await visit("/specs?q=mail"), await visit("/projects")
    await some.get_by_role("searchbox").fill("mail, then")  # being typed
    for page in (every, some, projects):
        await page.evaluate("window.same = true")
    await in_database(import_spec, tmp_path, "Post")
    await in_database(import_spec, tmp_path, "Mail")
    await expect(every.locator(".pick-row .title")).to_have_text(["Mail", "Post"])
    await expect(some.locator(".pick-row .title")).to_have_text(["Mail"])
    await expect(projects.locator("tbody tr td:nth-child(6)")).to_have_text(["2"])
    await every.get_by_role("link", name="Mail").focus()
    await in_database(lambda: Spec.objects.get(title="Post").remove())
    await expect(every.locator(".pick-row .title")).to_have_text(["Mail"])
    await expect(every.get_by_role("link", name="Mail")).to_be_focused()
    await in_database(lambda: Project.objects.get().remove())
    await expect(every.locator("#spec-list")).to_contain_text("No specs yet")
    await expect(some.locator("#spec-list")).to_contain_text("No spec matches")
    await expect(projects.locator("#project-list")).to_contain_text("No projects yet")
    await expect(some.get_by_role("searchbox")).to_have_value("mail, then")
    for page in (every, some, projects):
        assert await page.evaluate("window.same")


async def test_the_history_offers_newer_results(visit):
    worker = await running()
    page = await visit("/history")
    newer = page.get_by_text("Show newer results")
    await expect(newer).to_be_hidden()
    await in_database(worker.completed)
    await newer.click()
    await expect(page.locator("table")).to_contain_text(f"#{worker.pk}")
