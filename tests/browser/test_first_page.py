"""The page of an empty yard."""

import subprocess
import sys

from playwright.sync_api import Page, expect

from tests.browser.up import Up
from tests.browser.watching import Watch, pump
from tests.support.wait import until


def test_a_demo_made_on_the_command_line_reaches_the_open_page(up: Up, page: Page) -> None:
    expect(page.get_by_role("button", name="Set up the demo")).to_be_visible()

    done = subprocess.run(
        [sys.executable, "-P", "-m", "dashboard.cli", "demo"],
        env=up.environment,
        cwd=up.data,
        capture_output=True,
        text=True,
        check=True,
    )

    assert f"open {up.address}/specs" in done.stdout
    expect(page.get_by_role("button", name="Set up the demo")).to_be_hidden()
    expect(page.get_by_text("No worker is active")).to_be_visible()


def test_the_policy_is_in_force_and_a_violation_would_be_noticed(page: Page, watch: Watch) -> None:
    script = "document.head.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))"
    page.evaluate(script)
    until(lambda: pump(page) and watch.complaints, 5, "a complaint")
    assert page.evaluate("window.ran") is None
    assert all("policy" in complaint.lower() for complaint in watch.complaints)
    watch.complaints.clear()


def test_the_link_signs_in_only_once(up: Up, page: Page) -> None:
    page.context.clear_cookies()
    page.goto(up.link)
    expect(page.get_by_text("has been used or is too old")).to_be_visible()
