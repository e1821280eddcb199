"""Takes the pictures of the README from the running demo, in its second round: then there are estimates and a past.

python -m tests.browser.pictures docs/images
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import BrowserContext, Locator, Page, expect, sync_playwright

from tests.browser.conftest import SIZE
from tests.browser.test_demo import (
    BUG,
    CHECKOUT,
    CORPUS,
    HANDBOOK,
    LIMITS,
    VAT,
    card,
    lower_the_limit_to_three,
    press_the_demo_button,
    run_in_the_background,
)
from tests.browser.up import Up
from tests.support.browser import FLAGS, executable

ROUND = (LIMITS, HANDBOOK, CORPUS, VAT, BUG, CHECKOUT)


def take(context: BrowserContext, up: Up, folder: Path) -> None:
    page = context.new_page()
    page.goto(up.link)
    press_the_demo_button(page)
    lower_the_limit_to_three(page)
    run_in_the_background(page, ROUND)
    expect(page.locator("#nav-workers")).to_have_attribute("data-active", "0", timeout=200_000)
    run_in_the_background(page, ROUND)
    reviewed = card(page, LIMITS).filter(has_text="reviewing")
    shoot(page, folder / "workers.png", when=reviewed.get_by_text("LimiterTest"))
    page.goto(card(page, LIMITS).get_by_role("link", name=LIMITS).get_attribute("href") or "")
    again = page.locator(".timeline-attempt", has_text="Attempt 2")
    shoot(page, folder / "worker.png", when=again.get_by_text("Passed"), attempt=again)


def shoot(page: Page, path: Path, *, when: Locator, attempt: Locator | None = None) -> None:
    """Take a picture at a moment, without the toasts of what was done just now."""
    for toast in page.get_by_role("button", name="Dismiss").all():
        toast.click()
    expect(when).to_be_visible(timeout=60_000)
    if attempt is not None:
        attempt.click()
        expect(page.locator(".log")).to_contain_text("── review ──")
    page.mouse.move(640, 880)
    page.screenshot(path=path)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="specyard-") as data, sync_playwright() as playwright:
        up = Up(Path(data), node="mini-01")
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        try:
            take(browser.new_context(viewport=SIZE, base_url=up.address, color_scheme="dark"), up, folder)
        finally:
            browser.close()
            up.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
