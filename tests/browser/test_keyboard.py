"""Everything without a mouse: each control is reached with Tab, and keeps the focus while the page changes."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.truth import wait_until_right
from tests.browser.up import Up

SPEC = """
title: {title}
chunks:
  - title: Count slowly
    params: {{run: "for n in $(seq 600); do echo line $n; sleep 0.1; done"}}
"""
TITLES = ("Alpha", "Beta", "Gamma", "Delta")
MOST_TABS = 120


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with four specs, each of which counts for a minute."""
    folder = tmp_path / "counting"
    (folder / ".specyard").mkdir(parents=True)
    for title in TITLES:
        (folder / ".specyard" / f"{title.lower()}.yaml").write_text(SPEC.format(title=title))
    return folder


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus."""
    expect(target).to_be_visible()
    for _ in range(MOST_TABS):
        if target.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"not reached with Tab: {target}")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    tab_to(page, target)
    page.keyboard.press(key)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=re.compile(name))


def rows(page: Page, *titles: str) -> None:
    """Expect these to wait, in this order."""
    expect(page.locator("#queue .queue-row .title")).to_have_text(list(titles))


def test_a_day_without_a_mouse(up: Up, page: Page, project: Path) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    import_a_folder(page, project)
    run_all_with_one_slot(page)
    order_the_queue(up, page)
    remove_and_undo(up, page)
    pause_and_resume(up, page)
    stop_with_a_second_thought(up, page)
    add_to_the_queue(up, page)


def import_a_folder(page: Page, project: Path) -> None:
    press(page, page.get_by_role("link", name="Projects"))
    field = page.get_by_role("textbox", name=re.compile("folder|path|directory", re.IGNORECASE))
    tab_to(page, field)
    page.keyboard.type(str(project))
    page.keyboard.press("Enter")
    page.wait_for_url("**/specs")
    expect(page.get_by_role("link", name="Alpha")).to_be_visible()


def run_all_with_one_slot(page: Page) -> None:
    press(page, page.get_by_role("link", name=re.compile("^Workers")))
    fewer = button(page, "One slot fewer")
    for limit in (4, 3, 2, 1):
        press(page, fewer)
        expect(page.locator("#slot-meter strong")).to_have_text(f"0/{limit}")
        expect(fewer).to_be_focused()
    for title in TITLES:
        press(page, page.get_by_role("link", name="Specs"))
        press(page, page.get_by_role("link", name=title))
        press(page, button(page, "Run in Background"))
        page.wait_for_url("**/workers")
    rows(page, "Beta", "Gamma", "Delta")


def order_the_queue(up: Up, page: Page) -> None:
    grip = button(page, "^Move Delta")
    tab_to(page, grip)
    for key in ("Space", "ArrowUp", "ArrowUp", "Space"):
        page.keyboard.press(key)
    rows(page, "Delta", "Beta", "Gamma")
    expect(grip).to_be_focused()
    for key in ("Space", "ArrowDown", "Escape"):
        page.keyboard.press(key)
    rows(page, "Delta", "Beta", "Gamma")
    page.keyboard.press("1")
    rows(page, "Beta", "Gamma", "Delta")
    expect(grip).to_be_focused()
    press(page, button(page, "^More for Gamma"))
    press(page, page.locator(".menu:popover-open").get_by_role("button", name="To top"))
    rows(page, "Gamma", "Beta", "Delta")
    wait_until_right(up, page)


def remove_and_undo(up: Up, page: Page) -> None:
    tab_to(page, button(page, "^Move Beta"))
    page.keyboard.press("Delete")
    rows(page, "Gamma", "Delta")
    press(page, button(page, "^Undo"))
    rows(page, "Gamma", "Beta", "Delta")
    wait_until_right(up, page)


def pause_and_resume(up: Up, page: Page) -> None:
    card = page.locator("#worker-1")
    press(page, button(page, "^Pause worker 1"))
    expect(card).to_have_attribute("data-status", "paused", timeout=2_000)
    expect(button(page, "^Resume worker 1")).to_be_focused()
    page.keyboard.press("Enter")
    expect(card).to_have_attribute("data-status", "running")
    wait_until_right(up, page)


def stop_with_a_second_thought(up: Up, page: Page) -> None:
    stop = button(page, "^Stop worker 1")
    cancel = page.get_by_role("dialog").get_by_role("button", name="Cancel")
    press(page, stop)
    expect(cancel).to_be_focused()
    page.keyboard.press("Escape")
    expect(stop).to_be_focused()
    page.keyboard.press("Enter")
    expect(cancel).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("dialog").get_by_role("button", name="Stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#worker-2")).to_have_attribute("data-status", "running")
    expect(page.locator("#worker-2")).to_contain_text("Gamma")
    wait_until_right(up, page)


def add_to_the_queue(up: Up, page: Page) -> None:
    press(page, button(page, "Add to queue"))
    expect(page.get_by_role("searchbox", name="Search specs")).to_be_focused()
    page.keyboard.type("alp")
    choices = page.locator("#choices label")
    expect(choices).to_have_count(1)
    press(page, choices.get_by_role("checkbox"), "Space")
    press(page, page.get_by_role("dialog").get_by_role("button", name="Add 1 spec"))
    expect(page.get_by_role("dialog")).to_have_count(0)
    rows(page, "Beta", "Alpha", "Delta")
    wait_until_right(up, page)


def test_whatever_asks_first_begins_on_cancel(up: Up, page: Page, project: Path) -> None:
    import_a_folder(page, project)
    press(page, page.get_by_role("link", name="Alpha"))
    press(page, button(page, "Run All"))
    page.wait_for_url("**/workers/1")
    for place, name in (("/workers/1", "^Stop$"), ("/workers/1", "^Requeue$"), ("/workers", "^Stop all$")):
        page.goto(place)
        press(page, button(page, name))
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
    assert up.rows("select desired from workers_worker") == [("run",)]
