"""What the scripts of the pages do, in a real browser."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urljoin

import pytest
import pytest_asyncio
from django.utils import timezone
from playwright.async_api import Browser, Page, expect

from queue_app import dispatch
from queue_app.models import WorkerQueue, Yard
from tests.live.conftest import in_database
from tests.support import make
from tests.support.browser import chromium  # noqa: F401
from tests.support.valkey import valkey  # noqa: F401
from tests.support.web import Web, session_cookie, web  # noqa: F401
from workers.models import Attempt, Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Visit = Callable[..., Awaitable[Page]]
TITLES = ("Alpha", "Beta", "Gamma", "Delta")


@pytest_asyncio.fixture
async def visit(chromium: Browser, web: Web) -> AsyncIterator[Visit]:  # noqa: F811
    """Opens a page; in the end no script may have failed and nothing may have offended the content policy."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 900})
    problems: list[str] = []

    async def open_page(path: str = "/workers", *, user: str = "mira", staff: bool = True) -> Page:
        cookie = await in_database(session_cookie, user, staff=staff)
        await context.add_cookies([{"name": "specyard_session", "value": cookie, "url": web.url}])
        page = await context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Content Security" in line.text else None)
        await page.goto(web.url + path)
        await expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=10_000)
        return page

    yield open_page
    await context.close()
    assert problems == []


def fill_queue() -> None:
    """One slot, in use, and four specs that wait."""
    make.node()
    yard = Yard.current()
    yard.limit = 1
    yard.save()
    make.worker(slot=1)
    for title in TITLES:
        dispatch.enqueue(make.spec(title=title), by="mira")


@pytest_asyncio.fixture
async def queue(visit: Visit) -> Page:
    await in_database(fill_queue)
    return await visit()


def rows(page: Page):
    return page.locator(".queue-row .title")


async def stored() -> list[str]:
    return await in_database(lambda: list(WorkerQueue.objects.values_list("spec__title", flat=True)))


async def test_a_row_is_moved_with_the_keyboard_and_keeps_the_focus(queue):
    grip = queue.get_by_role("button", name="Move Delta, position")
    await grip.focus()
    await queue.keyboard.press("Space")
    await queue.keyboard.press("Home")
    await queue.keyboard.press("ArrowDown")
    await expect(rows(queue)).to_have_text(["Alpha", "Delta", "Beta", "Gamma"])
    assert await stored() == list(TITLES)  # nothing is stored before it is dropped
    async with queue.expect_response("**/move"):
        await queue.keyboard.press("Space")
    assert await stored() == ["Alpha", "Delta", "Beta", "Gamma"]
    await expect(queue.locator("#queue-said")).to_have_text("Delta dropped, position 2.")
    await expect(grip).to_be_focused()


async def test_escape_puts_a_grabbed_row_back(queue):
    await queue.get_by_role("button", name="Move Alpha, position").focus()
    await queue.keyboard.press("Space")
    await queue.keyboard.press("End")
    await expect(rows(queue)).to_have_text(["Beta", "Gamma", "Delta", "Alpha"])
    await queue.keyboard.press("Escape")
    await expect(rows(queue)).to_have_text(list(TITLES))
    assert await stored() == list(TITLES)


async def test_a_row_is_dragged(queue):
    grips = queue.locator("[data-grip]")
    start, end = await grips.nth(3).bounding_box(), await grips.nth(0).bounding_box()
    await queue.mouse.move(start["x"] + 8, start["y"] + 8)
    await queue.mouse.down()
    await queue.mouse.move(start["x"] + 8, start["y"] - 20, steps=5)
    await queue.mouse.move(end["x"] + 8, end["y"] + 2, steps=15)
    await expect(rows(queue).first).to_have_text("Delta")
    async with queue.expect_response("**/move"):
        await queue.mouse.up()
    assert await stored() == ["Delta", "Alpha", "Beta", "Gamma"]


async def test_keys_on_the_grip_set_the_priority_and_remove_with_undo(queue):
    await queue.get_by_role("button", name="Move Gamma, position").focus()
    await queue.keyboard.press("4")
    await expect(rows(queue)).to_have_text(["Gamma", "Alpha", "Beta", "Delta"])
    await queue.keyboard.press("Delete")
    await expect(list_of(queue)).to_have_text(["Removed Gamma", "Alpha", "Beta", "Delta"])
    await expect(queue.locator("#queue-said")).to_have_text("Removed Gamma from the queue.")
    await expect(queue.get_by_role("button", name="Undo the removal of Gamma")).to_be_focused()
    await queue.keyboard.press("Enter")
    await expect(list_of(queue)).to_have_text(["Gamma", "Alpha", "Beta", "Delta"])
    await expect(queue.get_by_role("button", name="Move Gamma, position")).to_be_focused()


def list_of(page: Page):
    """The titles of the rows, and the words of the strips, as they stand."""
    return page.locator(".queue-row .title, .queue-undo .truncate")


async def remove(page: Page, title: str) -> None:
    """With the mouse, by the menu of the row."""
    await page.get_by_role("button", name=f"More for {title}").click()
    await page.locator(".menu:popover-open").get_by_role("button", name="Remove").click()


async def test_a_removed_row_keeps_its_place_whatever_is_drawn_meanwhile(queue):
    await remove(queue, "Beta")
    await expect(list_of(queue)).to_have_text(["Alpha", "Removed Beta", "Gamma", "Delta"])
    undo = queue.get_by_role("button", name="Undo the removal of Beta")
    await expect(undo).to_be_focused()
    await in_database(lambda: dispatch.enqueue(make.spec(title="Urgent"), by="ines", priority=20))
    await expect(list_of(queue)).to_have_text(["Urgent", "Alpha", "Removed Beta", "Gamma", "Delta"])
    await in_database(lambda: dispatch.remove(WorkerQueue.objects.get(spec__title="Gamma").pk, "ines"))
    await expect(list_of(queue)).to_have_text(["Urgent", "Alpha", "Removed Beta", "Delta"])
    await expect(undo).to_be_focused()
    await remove(queue, "Alpha")
    await expect(list_of(queue)).to_have_text(["Urgent", "Removed Alpha", "Removed Beta", "Delta"])
    await undo.click()
    await expect(list_of(queue)).to_have_text(["Urgent", "Removed Alpha", "Beta", "Delta"])
    assert await stored() == ["Urgent", "Beta", "Delta"]


async def test_a_strip_goes_after_8_s_and_leaves_the_focus_to_the_row_below(queue):
    began = asyncio.get_running_loop().time()
    await remove(queue, "Beta")
    undo = queue.get_by_role("button", name="Undo the removal of Beta")
    await expect(undo).to_be_focused()
    await expect(undo).to_be_hidden()
    assert asyncio.get_running_loop().time() - began >= 8
    await expect(queue.get_by_role("button", name="Move Gamma, position")).to_be_focused()
    await expect(list_of(queue)).to_have_text(["Alpha", "Gamma", "Delta"])


async def test_the_last_row_can_be_put_back_too(queue):
    await in_database(lambda: [dispatch.remove(entry.pk, "ines") for entry in WorkerQueue.objects.all()[1:]])
    await expect(list_of(queue)).to_have_text(["Alpha"])
    await remove(queue, "Alpha")
    await expect(list_of(queue)).to_have_text(["Removed Alpha"])
    await queue.get_by_role("button", name="Undo").click()
    await expect(list_of(queue)).to_have_text(["Alpha"])


async def test_a_row_is_not_drawn_without_its_strip_while_the_reply_is_on_its_way(queue):
    async def late(route: Any) -> None:
        reply = await route.fetch()
        await in_database(lambda: dispatch.pause_queue("ines"))
        await expect(queue.locator("#capacity")).to_contain_text("Queue paused")  # what came with it is drawn
        await expect(list_of(queue)).to_have_text(list(TITLES))
        await route.fulfill(response=reply)

    await queue.route("**/queue/*", late)
    await remove(queue, "Beta")
    await expect(list_of(queue)).to_have_text(["Alpha", "Removed Beta", "Gamma", "Delta"])
    await expect(queue.locator("#queue-toggle")).to_contain_text("Resume queue")


async def test_a_row_is_moved_past_a_strip(queue):
    await remove(queue, "Beta")
    await expect(list_of(queue)).to_have_text(["Alpha", "Removed Beta", "Gamma", "Delta"])
    await queue.get_by_role("button", name="Move Gamma, position").focus()
    for key in ("Space", "ArrowUp"):
        await queue.keyboard.press(key)
    async with queue.expect_response("**/move"):
        await queue.keyboard.press("Space")
    await expect(list_of(queue)).to_have_text(["Gamma", "Alpha", "Removed Beta", "Delta"])
    assert await stored() == ["Gamma", "Alpha", "Delta"]


async def test_on_a_phone_no_page_is_wider_than_the_screen_and_titles_are_readable(visit):
    def long_words() -> Worker:
        make.node()
        chunk = {"title": "Wire the session store into the checkout", "instructions": "x" * 200}
        return make.worker(chunk, title="Tidy the attic, the cellar and the shed", slot=1)

    worker = await in_database(long_words)
    await in_database(worker.fail, "chunk_failed", "no")
    spec = f"/specs/{worker.spec_id}"
    lists = {"/workers": ".card", "/specs": ".pick-row", "/history": ".table", spec: ".chunk-table"}
    page = await visit()
    await page.set_viewport_size({"width": 360, "height": 760})
    for path in (*lists, "/projects", f"/workers/{worker.pk}"):
        await page.goto(urljoin(page.url, path))
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
        if path in lists:
            box = await page.locator(f"{lists[path]} .title").first.bounding_box()
            assert box is not None
            assert box["width"] >= 180, path


async def test_on_a_phone_the_navigation_is_a_menu(visit):
    page = await visit()
    await page.set_viewport_size({"width": 360, "height": 760})
    history = page.get_by_role("link", name="History", exact=True)
    await expect(history).to_be_hidden()
    await page.get_by_role("button", name="Menu").click()
    await history.click()
    await page.wait_for_url("**/history")


async def test_run_in_background_in_the_list_of_specs_shows_in_place_what_became_of_it(visit):
    await in_database(make.node)
    spec = await in_database(make.spec, title="Tidy the attic")
    page = await visit("/specs")
    button = page.get_by_role("button", name="Run in Background")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(f"#spec-{spec.pk} .state")).to_contain_text("runs it")
    await expect(button).to_be_disabled()
    await expect(page.locator("#nav-workers")).to_contain_text("(1)")
    await expect(page.locator("#toasts")).to_contain_text("Tidy the attic runs")
    await page.keyboard.press("Shift+Tab")
    await expect(page.get_by_role("link", name=re.compile(r"^\d+$"))).to_be_focused()  # the worker, beside the button


async def test_a_viewer_cannot_grab_and_sees_no_controls(visit):
    await in_database(fill_queue)
    page = await visit(user="vic", staff=False)
    await expect(page.get_by_role("button", name="Stop all")).to_be_hidden()
    await expect(page.get_by_role("button", name="Add to queue")).to_be_hidden()
    await page.locator("[data-grip]").first.focus()
    await page.keyboard.press("Space")
    await page.keyboard.press("End")
    await expect(rows(page)).to_have_text(list(TITLES))


async def test_stopping_asks_first_and_the_focus_starts_on_cancel(queue):
    await queue.get_by_role("button", name="Stop all").click()
    dialog = queue.get_by_role("dialog", name="Stop 1 worker?")
    await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    await queue.keyboard.press("Escape")
    assert await in_database(lambda: Worker.objects.get().status) == "idle"
    await queue.get_by_role("button", name="Stop all").click()
    await dialog.get_by_role("button", name="Stop it").click()
    await expect(queue.locator("#toasts")).to_contain_text("Asked 1 worker to end")
    assert await in_database(lambda: Worker.objects.order_by("pk").first().status) == "stopped"


async def test_specs_are_searched_chosen_and_added(queue):
    await in_database(lambda: [make.spec(title=title) for title in ("Needle", "Thread")])
    await queue.get_by_role("button", name="Add to queue").click()
    dialog = queue.get_by_role("dialog", name="Add to queue")
    await dialog.get_by_text("Thread").click()
    await dialog.get_by_role("searchbox").fill("need")
    await expect(dialog.locator(".pick .title")).to_have_text(["Needle", "Thread"])  # the chosen one stays
    await dialog.get_by_text("Needle").click()
    await dialog.get_by_text("Urgent").click()
    await dialog.get_by_role("button", name="Add 2 specs").click()
    await expect(dialog).to_be_hidden()
    await expect(rows(queue)).to_have_text(["Needle", "Thread", *TITLES])


def attempt_with(content: bytes) -> Attempt:
    make.node()
    worker = make.worker(slot=1)
    claimed = Worker.claim(worker.pk, 1)
    assert claimed is not None
    made = Attempt.objects.create(chunk=claimed.chunks.get(), number=1, incarnation=1, started_at=timezone.now())
    made.log_path.parent.mkdir(parents=True, exist_ok=True)
    made.log_path.write_bytes(content)
    return made


async def test_a_log_shows_colours_and_nothing_of_it_becomes_a_page(visit):
    hostile = (
        b"<img src=x onerror=document.title='hacked'>\n\x1b[31mred\x1b[0m plain\n10%\r100%\n\x1b]0;title\x07end\x00\n"
    )
    attempt = await in_database(attempt_with, hostile)
    page = await visit(f"/workers/{attempt.chunk.worker_id}")
    lines = page.locator(".log-line .t")
    await expect(lines).to_have_text(["<img src=x onerror=document.title='hacked'>", "red plain", "100%", "end"])
    await expect(page.locator(".log .a1")).to_have_text("red")
    assert await page.locator(".log img").count() == 0
    assert "hacked" not in await page.title()


async def test_a_log_is_followed_until_somebody_scrolls_up(visit):
    attempt = await in_database(attempt_with, b"".join(b"line %d\n" % n for n in range(200)))
    page = await visit(f"/workers/{attempt.chunk.worker_id}")
    await expect(page.get_by_text("line 199")).to_be_in_viewport()
    await page.locator(".log").hover()
    await page.mouse.wheel(0, -2000)
    await expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    with attempt.log_path.open("ab") as file:
        file.write(b"".join(b"later %d\n" % n for n in range(3)))
    await page.get_by_role("button", name="3 new lines").click()
    await expect(page.get_by_text("later 2")).to_be_in_viewport()


async def test_a_huge_log_stays_bounded_in_the_page(visit):
    attempt = await in_database(attempt_with, b"".join(b"line %d\n" % n for n in range(30_000)))
    page = await visit(f"/workers/{attempt.chunk.worker_id}")
    await expect(page.get_by_text("line 29999")).to_be_in_viewport(timeout=10_000)
    assert await page.locator(".log-line").count() <= 5000
    await asyncio.to_thread(attempt.log_path.unlink)


async def test_the_focus_stays_where_it_is_when_a_button_changes_its_meaning(visit):
    attempt = await in_database(attempt_with, b"")
    page = await visit()
    name = f"worker {attempt.chunk.worker_id}"
    pause, resume = (page.get_by_role("button", name=f"{verb} {name}") for verb in ("Pause", "Resume"))
    await pause.focus()
    await page.keyboard.press("Enter")
    await expect(resume).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(pause).to_be_focused()


async def test_an_open_menu_survives_an_update_of_its_card(visit):
    attempt = await in_database(attempt_with, b"")
    worker = attempt.chunk.worker
    page = await visit()
    await page.get_by_role("button", name=f"More for worker {worker.pk}").click()
    menu = page.locator(f"#more-{worker.pk}")
    await expect(menu).to_be_visible()
    await in_database(worker.request_pause, "ines")
    await expect(page.locator(f"#worker-{worker.pk}")).to_contain_text("asked to pause by ines")
    await expect(menu).to_be_visible()
