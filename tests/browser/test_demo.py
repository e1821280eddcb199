"""The demo from the first button to the last chunk, in a real browser, while parts of Specyard are killed."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.truth import Sampler, wait_until_right
from tests.browser.up import Up
from tests.browser.watching import Watch, most_active_shown, pump
from tests.support.wait import until

# In the order in which they are started. The first three run at once, the other three wait.
LIMITS, CORPUS, CHECKOUT = "Rate limits per API key", "Statistics over a corpus", "Checkout in three steps"
HANDBOOK, VAT, BUG = "Publish the handbook", "Raise the VAT to 21 %", "Find the commit that lost the last page"
SPECS = (LIMITS, CORPUS, CHECKOUT, HANDBOOK, VAT, BUG)


@pytest.mark.timeout(300)
def test_the_demo_end_to_end(up: Up, page: Page, watch: Watch) -> None:
    press_the_demo_button(page)
    lower_the_limit_to_three(page)
    sampler = Sampler(up)
    run_in_the_background(page, SPECS)
    expect_three_to_run_and_three_to_wait(up, page)
    spec, history, worker = open_spec(watch, CHECKOUT), open_history(watch), open_worker(watch, LIMITS, page)
    pause_and_resume_one(up, page)
    pause_all(page)
    kill_redis_after_ten_quiet_seconds(up, watch, page)
    reorder_by_drag(up, page)
    reorder_by_keyboard(up, page)
    resume_all(up, page)
    stop_one_after_thinking_twice(up, page)
    kill_the_web_process(up, watch, page, worker, spec, history)
    retry_what_was_stopped(page)
    wait_for_the_end(up, page)
    expect_the_whole_log(up, worker)
    expect_two_attempts(worker)
    expect_the_failure_to_be_understood(spec)
    expect_history_to_tell_all(history)
    assert sampler.most() == 3, "at every moment at most three, and three at some"
    assert len(sampler.samples) > 1000
    assert most_active_shown(page) == 3


def press_the_demo_button(page: Page) -> None:
    expect(page.get_by_role("heading", name="Run your first spec")).to_be_visible()
    page.get_by_role("button", name="Set up the demo").click()
    page.wait_for_url("**/specs")
    for title in SPECS:
        expect(page.get_by_role("link", name=title)).to_be_visible()


def lower_the_limit_to_three(page: Page) -> None:
    page.get_by_role("link", name=re.compile("^Workers")).click()
    for limit in (4, 3):
        page.get_by_role("button", name="One slot fewer").click()
        expect(page.locator("#slot-meter strong")).to_have_text(f"0/{limit}")


def run_in_the_background(page: Page, titles: Sequence[str]) -> None:
    for title in titles:
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Specs").click()
        page.get_by_role("link", name=title).click()
        page.get_by_role("button", name="Run in Background").click()
        page.wait_for_url("**/workers")


def expect_three_to_run_and_three_to_wait(up: Up, page: Page) -> None:
    wait_until_right(up, page)
    expect(page.locator("#workers-active article[data-status=running]")).to_have_count(3)
    expect(page.locator("#queue .queue-row")).to_have_count(3)
    expect(page.locator("#queue .queue-why").first).to_contain_text("Slots full (3/3)")
    expect(page.get_by_text("All worker slots in use (3/3). New specs will be queued.")).to_be_visible()
    expect(page.locator("#nav-workers")).to_have_text(re.compile(r"Workers\s*\(3\)"))
    expect(page).to_have_title("Workers (3)")


def open_worker(watch: Watch, title: str, page: Page) -> Page:
    """The page of a worker in another tab, its log growing."""
    address = card(page, title).get_by_role("link", name=title).get_attribute("href")
    worker = watch.context.new_page()
    worker.goto(address or "")
    expect(worker.locator(".log-line").first).to_be_visible()
    return worker


def open_spec(watch: Watch, title: str) -> Page:
    """The page of a spec in another tab, while it runs."""
    spec = watch.context.new_page()
    spec.goto("/specs")
    spec.get_by_role("link", name=title).click()
    expect(spec.get_by_text("Running in worker")).to_be_visible()
    expect(spec.get_by_role("button", name="Run All")).to_be_disabled()
    return spec


def open_history(watch: Watch) -> Page:
    """The history in another tab, while it is empty."""
    history = watch.context.new_page()
    history.goto("/history")
    expect(history.get_by_text("Nothing has finished yet")).to_be_visible()
    return history


def card(page: Page, title: str) -> Locator:
    return page.locator("#workers-active article.card", has_text=title)


def waiting(page: Page) -> list[str]:
    return [row.get_attribute("data-title") or "" for row in page.locator("#queue .queue-row").all()]


def pause_all(page: Page) -> None:
    page.get_by_role("button", name="Pause all").click()
    expect(page.locator("#workers-active article[data-status=paused]")).to_have_count(3, timeout=5_000)


def resume_all(up: Up, page: Page) -> None:
    page.get_by_role("button", name="Resume all").click()
    expect(page.locator("#workers-active article[data-status=paused]")).to_have_count(0, timeout=5_000)
    wait_until_right(up, page)


def kill_redis_after_ten_quiet_seconds(up: Up, watch: Watch, page: Page) -> None:
    """A listener that dozed off in the quiet, or that held on to the old connection, would miss all that follows."""
    watch.wait_for_quiet(page)
    killed = up.kill("valkey")
    up.wait_for_another("valkey", killed)


def reorder_by_drag(up: Up, page: Page) -> None:
    assert waiting(page) == [HANDBOOK, VAT, BUG], "the handbook has a higher priority"
    grip = page.get_by_role("button", name=re.compile(f"^Move {BUG}")).bounding_box()
    first = page.locator("#queue .queue-row").first.bounding_box()
    assert grip
    assert first
    page.mouse.move(grip["x"] + 5, grip["y"] + 5)
    page.mouse.down()
    page.mouse.move(grip["x"] + 5, grip["y"] - 20, steps=4)
    page.mouse.move(grip["x"] + 5, first["y"] + 3, steps=8)
    page.mouse.up()
    until(lambda: pump(page) and waiting(page) == [BUG, HANDBOOK, VAT], 5, "the dragged row is the first")
    wait_until_right(up, page)


def reorder_by_keyboard(up: Up, page: Page) -> None:
    page.get_by_role("button", name=re.compile(f"^Move {VAT}")).focus()
    for key in ("Space", "ArrowUp", "ArrowUp", "ArrowDown", "Space"):
        page.keyboard.press(key)
    until(lambda: pump(page) and waiting(page) == [BUG, VAT, HANDBOOK], 5, "the moved row is the second")
    wait_until_right(up, page)


def pause_and_resume_one(up: Up, page: Page) -> None:
    mine = card(page, CORPUS)
    mine.get_by_role("button", name=re.compile("^Pause worker")).click()
    expect(mine).to_have_attribute("data-status", "paused", timeout=2_000)
    mark, others = written(up, CORPUS), written(up, LIMITS) + written(up, CHECKOUT)
    until(lambda: written(up, LIMITS) + written(up, CHECKOUT) > others + 300, 10, "the others go on")
    assert written(up, CORPUS) == mark, "a paused worker writes nothing"
    mine.get_by_role("button", name=re.compile("^Resume worker")).click()
    expect(mine).to_have_attribute("data-status", "running")
    until(lambda: written(up, CORPUS) > mark, 10, "it goes on")


def written(up: Up, title: str) -> int:
    """The size of all logs of the spec's workers."""
    numbers = [pk for (pk,) in up.rows("select id from workers_worker where title = ?", title)]
    return sum(log.stat().st_size for pk in numbers for log in (up.data / "logs").glob(f"{pk}-*/*.log"))


def stop_one_after_thinking_twice(up: Up, page: Page) -> None:
    mine = card(page, CORPUS)
    stop = mine.get_by_role("button", name=re.compile("^Stop worker"))
    cancel = page.get_by_role("button", name="Cancel")
    stop.click()
    expect(cancel).to_be_focused()
    page.keyboard.press("Enter")
    expect(cancel).to_be_hidden()
    expect(mine).to_have_attribute("data-status", "running")
    stop.click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    (workspace,) = up.rows("select workspace from workers_worker where title = ?", CORPUS)[0]
    until(lambda: pump(page) and not card(page, CORPUS).count(), 10, "its slot is taken")
    assert up.processes_in(Path(workspace)) == []
    expect(page.locator("#finished")).to_contain_text(CORPUS)
    expect(card(page, BUG)).to_have_attribute("data-status", "running")
    wait_until_right(up, page)


def kill_the_web_process(up: Up, watch: Watch, page: Page, worker: Page, *others: Page) -> None:
    with watch.outage(page, worker, *others):
        killed = up.kill("web")
        expect(page.locator("body")).not_to_have_attribute("data-live", "live")
        up.wait_for_another("web", killed)
    wait_until_right(up, page)
    lines = worker.locator(".log-line").count()
    until(lambda: pump(worker) and worker.locator(".log-line").count() != lines, 15, "the log goes on")


def retry_what_was_stopped(page: Page) -> None:
    stopped = page.locator("#finished li", has_text=CORPUS)
    stopped.get_by_role("button", name="Retry").click()
    expect(page.locator("#queue .queue-row", has_text=CORPUS).or_(card(page, CORPUS)).first).to_be_visible()


def wait_for_the_end(up: Up, page: Page) -> None:
    expect(page.locator("#nav-workers")).to_have_attribute("data-active", "0", timeout=150_000)
    wait_until_right(up, page)
    endings = up.rows("select title, status from workers_worker order by id")
    assert sorted(endings) == sorted(
        [
            *((title, "completed") for title in (LIMITS, CORPUS, HANDBOOK, VAT, BUG)),
            (CORPUS, "stopped"),
            (CHECKOUT, "failed"),
        ]
    )


def expect_the_whole_log(up: Up, worker: Page) -> None:
    """The tab that was open all the time shows the last chunk to its last line."""
    (size, lines) = up.rows(
        "select log_bytes, log_lines from workers_attempt attempt join workers_workerchunk chunk"
        " on chunk.id = attempt.chunk_id where chunk.title = 'Run all tests and commit'"
    )[0]
    assert size > 0
    expect(worker.locator(".log-line")).to_have_count(lines)
    expect(worker.locator(".log")).to_contain_text("Limit requests per key")
    expect(worker.locator(".page-head")).to_contain_text("Completed")


def expect_two_attempts(worker: Page) -> None:
    """The review failed first; the next attempt read its findings."""
    chunk = worker.locator(".timeline-chunk", has_text="Write the limiter")
    attempts = chunk.locator(".timeline-attempt")
    expect(attempts).to_have_count(2)
    expect(attempts.first).to_contain_text("Review failed, exit 1")
    expect(attempts.last).to_contain_text("Passed")
    attempts.first.click()
    expect(worker.locator(".log")).to_contain_text("requests within 2 s, allowed are 20 in any 60 s")
    attempts.last.click()
    expect(worker.locator(".log")).to_contain_text("the review found something")


def expect_the_failure_to_be_understood(page: Page) -> None:
    """From the spec's page, which was open all the time, to the reason and the line of the log that tells it."""
    expect(page.get_by_text("Failed: A chunk failed")).to_be_visible()
    expect(page.get_by_role("button", name="Run All")).to_be_enabled()
    page.get_by_role("link", name="Open", exact=True).click()
    expect(page.get_by_text("A chunk failed. Shipping costs: The command ended with exit code 1.")).to_be_visible()
    expect(page.locator(".log")).to_contain_text("the page promises: free from 50.00 on")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def expect_history_to_tell_all(page: Page) -> None:
    """It stands still for whoever reads it, and offers what is new."""
    expect(page.locator("#nav-workers")).to_have_attribute("data-active", "0")
    page.get_by_role("link", name="Show newer results").click()
    expect(page.locator("tbody tr")).to_have_count(7)
    expect(page.locator("tbody tr", has_text="Completed")).to_have_count(5)
    expect(page.locator("tbody tr", has_text=CHECKOUT)).to_contain_text("Failed")
