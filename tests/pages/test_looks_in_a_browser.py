"""How pages look: the two themes, narrow screens, long names and those that are read from right to left."""

import re

import pytest
from playwright.async_api import Page, expect

from queue_app import dispatch
from queue_app.models import Yard
from tests.live.conftest import in_database
from tests.pages.test_behaviour import Visit, chromium, valkey, visit, web  # noqa: F401
from tests.support import make
from workers.models import Attempt, Worker
from workers.states import AttemptStatus, ChunkOutcome, Reason

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIGHT, DARK = "rgb(243, 246, 244)", "rgb(10, 13, 12)"
WORD = "Averylongwordthatnobodycanbreak" * 4
HEBREW = "שלום עולם, כותרת ארוכה מאוד שאין לה מקום בשורה אחת של טלפון"


def ground(page: Page):
    return page.locator("html")


async def test_the_theme_is_the_systems_until_somebody_chooses_one(visit: Visit) -> None:  # noqa: F811
    page = await visit("/history")
    await page.emulate_media(color_scheme="light")
    await expect(ground(page)).to_have_css("background-color", LIGHT)
    await page.emulate_media(color_scheme="dark")
    await expect(ground(page)).to_have_css("background-color", DARK)
    await page.get_by_role("button", name="Account of mira").click()
    await page.get_by_role("button", name="Light").click()
    await expect(ground(page)).to_have_css("background-color", LIGHT)
    await page.reload()
    await expect(ground(page)).to_have_css("background-color", LIGHT)
    await page.get_by_role("button", name="Account of mira").click()
    await expect(page.get_by_role("button", name="Light")).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("button", name="System").click()
    await expect(ground(page)).to_have_css("background-color", DARK)


async def test_a_hyphen_is_no_wider_than_it_should_be(visit: Visit) -> None:  # noqa: F811
    page = await visit("/history")
    widths = await page.evaluate(
        """() => document.fonts.load("13px Inter").then(() => ["normal", "tabular-nums"].map((numbers) => {
            const text = Object.assign(document.createElement("span"), { textContent: "a-b" });
            text.style.setProperty("font-variant-numeric", numbers);
            document.querySelector("h1").append(text);
            return text.getBoundingClientRect().width;
        }))"""
    )
    assert widths[0] == widths[1] > 0


def long_names() -> dict[str, int]:
    """Workers, a spec that waits and one that has run, all with names for which there is no room."""
    make.node()
    Yard.current()
    Yard.objects.update(limit=1)
    project = make.project(name="a-project-with-a-name-that-is-long")
    chunks = [{"title": WORD, "params": {"run": "true"}}, *({"title": HEBREW, "params": {"run": "true"}},) * 120]
    ended = make.worker(*chunks, slot=1, title=WORD, project=project)
    claimed = Worker.claim(ended.pk, 1)
    assert claimed
    attempt = Attempt.open(claimed, claimed.chunks.get(ordinal=1))
    attempt.close(claimed, AttemptStatus.FAILED, ChunkOutcome.FAILED)
    claimed.fail(Reason.CHUNK_FAILED, WORD)
    running = make.worker(*chunks, slot=1, title=HEBREW, project=project)
    make.question(Worker.claim(running.pk, 1), title=WORD)
    waiting = make.spec(title=HEBREW, description=WORD, project=project)
    dispatch.enqueue(waiting, by="mira")
    return {"ended": ended.pk, "running": running.pk, "spec": ended.spec_id or 0, "attempt": attempt.pk}


PATHS = (
    "/workers",
    "/workers/{running}",
    "/workers/{ended}",
    "/workers/{ended}/changes",
    "/attempts/{attempt}/artifacts",
    "/specs",
    "/specs/{spec}",
    "/specs/{spec}/edit",
    "/projects",
    "/profiles",
    "/history",
)


async def test_no_page_is_wider_than_a_phone(visit: Visit) -> None:  # noqa: F811
    names = await in_database(long_names)
    page = await visit()
    for width in (360, 1024):
        await page.set_viewport_size({"width": width, "height": 800})
        for path in PATHS:
            await page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + path.format(**names))
            await expect(page.locator("h1")).to_be_visible()
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide == 0, (path, width)


async def test_of_a_title_that_is_read_from_right_to_left_the_beginning_is_seen(visit: Visit) -> None:  # noqa: F811
    await in_database(long_names)
    page = await visit()
    await page.set_viewport_size({"width": 1101, "height": 800})
    title = page.locator("#queue .title, .card .title").filter(has_text=HEBREW).first
    await expect(title).to_have_css("direction", "rtl")
    await expect(title).to_have_css("text-align", "left")


async def test_a_phone_has_its_main_actions_in_a_bar_at_the_bottom(visit: Visit) -> None:  # noqa: F811
    names = await in_database(long_names)
    page = await visit()
    await page.set_viewport_size({"width": 360, "height": 640})
    add = page.get_by_role("button", name="Add to queue", exact=True).first
    box = await add.bounding_box()
    assert box
    assert box["height"] == 44
    assert 580 < box["y"] < 640
    await expect(page.get_by_role("link", name="1 worker needs you")).to_be_in_viewport()
    jumps = page.get_by_role("navigation", name="On this page")
    await expect(jumps.get_by_role("link")).to_have_text(["Active1", "Queue1", "Finished1"])
    await jumps.get_by_role("link", name="Queue").click()
    await expect(jumps.get_by_role("link", name="Queue")).to_have_attribute("aria-current", "true")
    await expect(jumps).to_be_in_viewport()
    await expect(page.get_by_role("heading", name="Queue")).to_be_in_viewport()
    await page.get_by_role("link", name="1 worker needs you").click()
    await page.wait_for_url(f"**/workers/{names['running']}")
    box = await page.get_by_role("button", name="Stop", exact=True).bounding_box()
    assert box
    assert box["y"] > 580


PRESSED = "button, a.button, select, input:not([type=hidden], [type=checkbox], [type=radio])"
TOO_LOW = """(pressed) => [...document.querySelectorAll(pressed)]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().width > 1)
    .map((one) => [one, one.matches(".button, .input, .icon-button:not(.copy)") ? 40 : 24])
    .filter(([one, least]) => one.getBoundingClientRect().height < least)
    .map(([one]) => one.outerHTML.slice(0, 100))"""


async def test_what_fingers_press_on_a_phone_is_high_enough(visit: Visit) -> None:  # noqa: F811
    names = await in_database(long_names)
    page = await visit(f"/workers/{names['running']}")
    await page.set_viewport_size({"width": 360, "height": 640})
    for path in ("/workers", f"/workers/{names['running']}", "/specs", "/history", "/account/tokens", "/projects/new"):
        await page.goto(re.sub(r"(//[^/]+)/.*", rf"\1{path}", page.url))
        await expect(page.locator("h1")).to_be_visible()
        assert await page.evaluate(TOO_LOW, PRESSED) == [], path


async def test_a_viewer_finds_the_spec_of_a_worker_and_nothing_that_is_not_for_them(visit: Visit) -> None:  # noqa: F811
    names = await in_database(long_names)
    page = await visit(f"/workers/{names['running']}", user="vic", staff=False)
    await expect(page.get_by_role("link", name="Spec", exact=True)).to_be_visible()
    await expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    await page.get_by_role("link", name="Workers", exact=False).first.click()
    await expect(page.locator(".card-strip").get_by_role("link", name="Open")).to_be_visible()
    await expect(page.get_by_text("Answer", exact=True)).to_be_hidden()


async def test_the_command_of_a_question_is_copied(visit: Visit) -> None:  # noqa: F811
    def asked() -> int:
        make.node()
        worker = Worker.claim(make.worker("true", slot=1).pk, 1)
        make.question(worker, detail={"command": "docker compose up -d redis"})
        assert worker
        return worker.pk

    page = await visit(f"/workers/{await in_database(asked)}")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy the command").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == "docker compose up -d redis"
    await expect(page.get_by_role("button", name="Copy the command")).to_be_visible()
