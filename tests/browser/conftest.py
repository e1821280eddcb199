"""A running Specyard and a signed-in browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.up import Up
from tests.browser.watching import Watch
from tests.support.browser import FLAGS, executable

SIZE = {"width": 1280, "height": 900}
expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """Ends with the test: while it lives its thread has a running event loop, which other tests could not bear."""
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def up(chromium: Browser, tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path)
    yield running
    running.close()


@pytest.fixture
def watch(chromium: Browser, up: Up) -> Iterator[Watch]:
    """A context whose pages may not complain."""
    context = chromium.new_context(viewport=SIZE, base_url=up.address, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    watch = Watch(context)
    yield watch
    context.close()
    assert watch.complaints == []


@pytest.fixture
def page(watch: Watch, up: Up) -> Page:
    """The page of the workers, signed in by the link that `up` printed, and live."""
    page = watch.context.new_page()
    page.goto(up.link)
    page.wait_for_selector("body[data-live=live]")
    return page
