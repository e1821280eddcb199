"""A conversation that is longer than what a page shows at once, in a real browser."""
# ruff: noqa: F811, F401 - fixtures that other files define

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, Route, expect

from dashboard.pages import transcripts
from tests.pages.test_behaviour import chromium, valkey, visit, web
from tests.pages.test_talking import attempt, entries, page, tell, tool
from tests.support.transcript import line

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
BATCH = transcripts.MOST_ENTRIES


def words(start: int, end: int) -> list[bytes]:
    return [line("text", id=f"w{n}", text=f"word {n}") for n in range(start, end)]


async def shown(page: Page) -> list[str]:
    """What the entries say, in their order."""
    return await page.locator("#conversation > .entry:not([hidden]) .prose").all_inner_texts()


def spoken(start: int, end: int) -> list[str]:
    return [f"word {n}" for n in range(start, end)]


async def bound(page: Page, most: int) -> None:
    """As if no more than so many entries fitted into the page."""
    await page.evaluate("most => { document.getElementById('conversation').dataset.most = most; }", most)


def box(page: Page) -> Any:
    return page.locator("[data-scroll]")


async def scroll_up(page: Page) -> None:
    """A little, as somebody does who wants to read."""
    await box(page).hover()
    await page.mouse.wheel(0, -200)
    await expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")


async def test_show_earlier_pressed_twice_brings_each_entry_once(page, attempt):
    tell(attempt, *words(0, 3 * BATCH))
    await page.reload()
    await expect(entries(page)).to_have_count(BATCH)
    await page.get_by_role("button", name="Show earlier").evaluate("button => { button.click(); button.click(); }")
    await expect(entries(page)).to_have_count(2 * BATCH)
    async with page.expect_response("**/conversation?offset=*"):
        pass
    assert await shown(page) == spoken(BATCH, 3 * BATCH)


async def test_news_that_come_while_earlier_entries_are_on_their_way_spoil_nothing(page, attempt):
    tell(attempt, *words(0, 3 * BATCH))
    await page.reload()
    await expect(entries(page)).to_have_count(BATCH)
    await bound(page, BATCH)  # so that news drive out what the earlier ones are put before
    asked, goes_on = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asked.set()
        await goes_on.wait()
        await route.continue_()

    await page.route("**/conversation?before=*", hold)
    await page.get_by_role("button", name="Show earlier").evaluate("button => button.click()")  # without scrolling up
    await asked.wait()
    tell(attempt, *words(3 * BATCH, 3 * BATCH + 20))
    await page.wait_for_timeout(1500)  # longer than the page waits between two looks
    goes_on.set()
    await expect(page.get_by_text(f"word {BATCH}", exact=True)).to_be_attached()
    found = await shown(page)
    first = int(found[0].removeprefix("word "))
    assert found == spoken(first, first + len(found))


async def test_a_reader_further_up_is_not_moved_and_the_page_stops_growing(page, attempt):
    tell(attempt, *words(0, 60))
    await expect(entries(page)).to_have_count(60)
    await bound(page, 80)
    await scroll_up(page)
    top = await box(page).evaluate("box => box.scrollTop")
    for start in range(60, 60 + 4 * BATCH, BATCH):
        tell(attempt, *words(start, start + BATCH))
        await page.wait_for_timeout(300)
    later = page.get_by_role("button", name="Show later")
    await expect(later).to_be_attached()
    await expect(page.locator("[data-new]")).to_contain_text("+ new")
    assert await entries(page).count() <= 80 + BATCH
    assert await box(page).evaluate("box => box.scrollTop") == top
    assert await shown(page) == spoken(0, await entries(page).count())


async def test_show_later_goes_on_without_a_gap_down_to_the_end(page, attempt):
    most, end = BATCH + 50, 4 * BATCH
    tell(attempt, *words(0, 60))
    await expect(entries(page)).to_have_count(60)
    await bound(page, most)
    await scroll_up(page)
    tell(attempt, *words(60, end))
    later = page.get_by_role("button", name="Show later")
    await expect(later).to_be_attached()
    found = await shown(page)
    assert found == spoken(0, 60 + BATCH)
    while found[-1] != f"word {end - 1}":
        last = page.get_by_text(found[-1], exact=True)
        await later.scroll_into_view_if_needed()
        before = await last.bounding_box()
        await later.click()
        following = int(found[-1].removeprefix("word ")) + 1
        await expect(page.get_by_text(f"word {following}", exact=True)).to_be_attached()
        await expect(page.locator("[data-later][aria-busy=true]")).to_have_count(0)
        after = await last.bounding_box()
        assert before
        assert after
        assert abs(before["y"] - after["y"]) < 2  # what was read stays where it was
        found = await shown(page)
        first = int(found[0].removeprefix("word "))
        assert found == spoken(first, first + len(found))
        assert len(found) <= most
    await expect(later).to_be_hidden()
    await expect(page.get_by_role("button", name="Show earlier")).to_be_attached()
    tell(attempt, line("text", id="one more", text="one more"))
    await expect(later).to_be_attached()


async def test_what_was_left_out_at_the_end_comes_back_and_calls_end_meanwhile(page, attempt):
    slow = line("tool", id="slow", title="Build", status="in_progress")
    tell(attempt, *words(0, BATCH), slow, *words(BATCH, 4 * BATCH))
    await page.reload()
    await expect(entries(page)).to_have_count(BATCH)
    await bound(page, BATCH)
    earlier = page.get_by_role("button", name="Show earlier")
    for count in range(3):
        await earlier.evaluate("button => button.click()")
        await expect(page.get_by_text(f"word {(2 - count) * BATCH + 50}", exact=True)).to_be_attached()
    assert await entries(page).count() <= 2 * BATCH
    call = entries(page, "tool")
    await expect(call).to_contain_text("running")
    tell(attempt, tool("slow", output="all built"))
    await expect(call).not_to_contain_text("running")
    later = page.get_by_role("button", name="Show later")
    while await later.is_visible():
        await later.click()
        await expect(page.locator("[data-later]:not([aria-busy=true])")).to_be_attached()
    found = await shown(page)
    assert found[-1] == f"word {4 * BATCH - 1}"
    assert await page.get_by_text("Tool call").count() == 0


async def test_a_page_that_was_read_far_back_asks_for_no_more_lines_than_the_server_takes(page, attempt):
    for n in range(4):
        calls = [line("tool", id=f"{n}-{m}", title="Build", status="in_progress") for m in range(5)]
        tell(attempt, *calls, *words(n * BATCH, (n + 1) * BATCH))
    await page.reload()
    await expect(entries(page)).to_have_count(BATCH)
    await expect(page.locator("#conversation")).to_have_attribute("data-far", str(transcripts.MOST_FAR))
    most, far = 8, list[list[int]]()
    await page.evaluate("most => { document.getElementById('conversation').dataset.far = most; }", most)
    for count in (2, 3, 4):
        await page.get_by_role("button", name="Show earlier").evaluate("button => button.click()")
        await expect(entries(page)).to_have_count(count * BATCH)
        async with page.expect_request("**/conversation?offset=*") as request:
            pass
        query = parse_qs(urlsplit((await request.value).url).query)
        far.append([int(place) for place in query["far"][0].split(",")])
    assert [len(lines) for lines in far] == [most] * 3
    assert far[0] == far[1] == far[2]  # those nearest to the end


async def test_follow_leads_to_the_end_from_wherever_the_reader_is(page, attempt):
    tell(attempt, *words(0, 60))
    await expect(entries(page)).to_have_count(60)
    await bound(page, 60)
    await scroll_up(page)
    tell(attempt, *words(60, 60 + 5 * BATCH))
    news = page.locator("[data-new]")
    await expect(news).to_be_visible()
    await news.click()
    await expect(page.get_by_text(f"word {59 + 5 * BATCH}", exact=True)).to_be_in_viewport()
    await expect(news).to_be_hidden()
    tell(attempt, line("text", id="last", text="and on it goes"))
    await expect(page.get_by_text("and on it goes")).to_be_in_viewport()
    assert await entries(page).count() <= 60


async def test_the_end_stays_in_sight_when_the_window_gets_smaller_or_entries_are_unfolded(page, attempt):
    tell(attempt, *(tool(f"t{n}", output="line\n" * 20) for n in range(10)), *words(0, 12))
    last = page.get_by_text("word 11", exact=True)
    await expect(last).to_be_in_viewport()
    at_end = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 2"
    await page.set_viewport_size({"width": 360, "height": 640})
    await expect(page.locator("[data-heads]")).to_have_count(1)
    await page.get_by_role("button", name="Unfold all").click()
    await expect(page.locator("#conversation details[open]")).to_have_count(10)
    await page.wait_for_function(f"({at_end})(document.querySelector('[data-scroll]'))")
    await expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")


async def test_no_mark_covers_the_heading_of_tool_calls_on_a_phone(page, attempt):
    await page.set_viewport_size({"width": 360, "height": 640})
    tell(attempt, tool("1"), tool("2"))
    mark, count = page.locator("[data-heads] .entry-mark"), page.locator("[data-heads] [data-count]")
    await expect(count).to_have_text("2 tool calls")
    left, right = await mark.bounding_box(), await count.bounding_box()
    assert left["x"] + left["width"] <= right["x"]
