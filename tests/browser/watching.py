"""What a page must never do, recorded while a test goes on: errors in the console, violations of the policy."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, WebSocket, expect

from tests.support.wait import until

# What Chromium itself says when nobody answers at an address.
NOBODY_THERE = re.compile(r"net::ERR_|WebSocket connection to .* failed")
# What Chromium and htmx say of a page that is left while it still connects.
LEFT_BEFORE_CONNECTED = re.compile(r"closed before the connection is established|htmx:ws:error")
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violated: ${event.violatedDirective} by ${event.blockedURI} in ${event.sourceFile}`));
"""
# The highest number of active workers that the tab has ever shown in its navigation, through all its pages.
NOTE_THE_MOST = """
document.addEventListener("DOMContentLoaded", () => {
  const nav = document.querySelector("nav.nav");
  const count = () => Number(document.getElementById("nav-workers").dataset.active);
  const note = () => { sessionStorage.most = Math.max(Number(sessionStorage.most ?? 0), count()); };
  if (nav) new MutationObserver(note).observe(nav, { subtree: true, childList: true, attributes: true });
  if (nav) note();
});
"""


class Watch:
    """Listens to all pages of a context."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []
        self.beacons: dict[Page, list[int]] = defaultdict(list)  # how far the outbox reached, by the server's beacons
        self._outage = False
        context.add_init_script(REPORT_VIOLATIONS + NOTE_THE_MOST)
        context.on("page", self._listen)

    def _listen(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("websocket", lambda socket: self._follow(page, socket))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning") or LEFT_BEFORE_CONNECTED.search(message.text):
            return
        if self._outage and NOBODY_THERE.search(message.text):
            return
        self.complaints.append(f"{message.type}: {message.text} ({message.location})")

    def _follow(self, page: Page, socket: WebSocket) -> None:
        def received(payload: str | bytes) -> None:
            if str(payload).startswith("{"):
                self.beacons[page].append(json.loads(payload)["seq"])

        socket.on("framereceived", received)

    @contextmanager
    def outage(self, *pages: Page) -> Iterator[None]:
        """Nobody answers, and the browser may say so, until the pages are live again."""
        self._outage = True
        yield
        for page in pages:
            expect(page.locator("body")).to_have_attribute("data-live", "live", timeout=20_000)
        self._outage = False

    def wait_for_quiet(self, page: Page) -> None:
        """Wait until two beacons in a row, 10 s apart, tell of the same state: nothing happened in between."""
        heard = self.beacons[page]
        begun = len(heard)
        until(lambda: pump(page) and len(heard) >= begun + 2 and heard[-1] == heard[-2], 45, "ten quiet seconds")


def most_active_shown(page: Page) -> int:
    """The highest number of active workers that this tab has ever shown."""
    return int(page.evaluate("sessionStorage.most"))


def pump(page: Page) -> bool:
    """Let Playwright's events in: they arrive only while one of its calls waits."""
    page.wait_for_timeout(50)
    return True
