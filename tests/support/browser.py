"""A real Chromium for tests of pages. Import the fixture `chromium`; mark the tests with `browser`.

The asynchronous API: the synchronous one leaves a running event loop in the test's thread, in which Django refuses to
touch the database and asynchronous tests refuse to start.
"""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

expect.set_options(timeout=15_000)  # a busy machine's patience; what has to be faster says so itself

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def executable() -> str:
    """The Chromium of this machine: SPECYARD_CHROMIUM, or the first that is on the path.

    Without one the test that asks is skipped; on CI that is a failure.
    """
    named = os.environ.get("SPECYARD_CHROMIUM", "")
    path = named if named and Path(named).exists() else next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        told = "no Chromium on this machine: install one, or name it in SPECYARD_CHROMIUM"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(told)
    return path


@pytest_asyncio.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A Chromium without a window."""
    path = executable()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()
