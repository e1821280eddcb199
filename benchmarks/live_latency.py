"""P2: from the commit of an event to its arrival over the WebSocket, and to its being applied in a real page.

Quiet: one page, one event at a time. Crowd: 100 pages at 20 events a second. A page has an event as soon as it shows
that event or a later one. The events are the output of a worker, committed by a process of its own.
"""

import asyncio
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from benchmarks import harness

QUIET_EVENTS, QUIET_PAUSE = 200, 0.25  # seconds, give or take a fifth
CROWD, CROWD_RATE, CROWD_EVENTS = 100, 20, 400
NUMBER = re.compile(r"event (\d+) of the benchmark")
OBSERVE = """() => {
  window.shown = [];
  new MutationObserver(() => {
    const found = document.querySelector(".card")?.textContent.match(/event (\\d+) of the benchmark/);
    if (found && window.shown.at(-1)?.[0] !== Number(found[1])) {
      window.shown.push([Number(found[1]), (performance.timeOrigin + performance.now()) / 1000]);
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""

Seen = list[tuple[int, float]]  # number of the event and when, both rising


def commit_events(count: int, pause: float) -> None:
    """In a process of its own: commit events, and print when each was committed."""
    harness.use_django()
    from workers import publisher
    from workers.models import Attempt

    attempt = Attempt.objects.select_related("chunk__worker").latest("pk")
    committed: list[float] = []
    ring = publisher.events_changed

    def timed(seq: int) -> None:  # rung right after the commit
        committed.append(time.time())
        ring(seq)

    publisher.events_changed = timed
    due = time.monotonic()
    for number in range(count):
        due += pause * random.uniform(0.8, 1.2)
        time.sleep(max(0.0, due - time.monotonic()))
        attempt.output(attempt.chunk.worker, number, number, f"event {number} of the benchmark")
    print(json.dumps(committed))


class Served:
    """Valkey and the web process on a temporary directory, without a node: nothing but the benchmark makes events."""

    def __init__(self, data: Path) -> None:
        self.run = data / "run"
        self.run.mkdir(mode=0o700)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        from dashboard.cli.ground import valkey_binary

        options = ["--port", "0", "--unixsocket", str(self.run / "valkey.sock"), "--save", ""]
        self._spawn([valkey_binary(), *options])
        web = [sys.executable, "-P", "-m", "dashboard.cli.serve", "web", "--listener", str(self.listener.fileno())]
        self._spawn(web)
        urllib.request.urlopen(f"{self.address}/healthz", timeout=30).close()

    def _spawn(self, command: list[str]) -> None:
        with (self.run / "log").open("ab") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, pass_fds=[self.listener.fileno()]))

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait(30)
        self.listener.close()


@contextmanager
def served() -> Iterator[tuple[Served, str]]:
    """The running server and the cookie of somebody who has signed in."""
    with tempfile.TemporaryDirectory(prefix="specyard-bench-") as name:
        os.environ.update(SPECYARD_DATA_DIR=name)
        harness.use_django()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        server = Served(Path(name))
        try:
            server.start()
            yield server, sign_in()
        finally:
            server.close()


def sign_in() -> str:
    """The cookie of a new person."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.create_user("bench"))
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def begin_work() -> None:
    """A worker in the middle of its first chunk, as far as the database knows."""
    from workers.models import Attempt, Node, Worker, accept

    spec = harness.make_spec("live", ["true"], Path("/tmp"))
    accepted = accept(spec, slot=1, node=Node.register("bench", "bench", {}, 64), by="bench")
    worker = Worker.claim(accepted.pk, accepted.epoch)
    assert worker is not None
    worker.prepared("/tmp")
    Attempt.open(worker, worker.chunks.get(ordinal=1))


async def follow(page: ClientConnection, seen: Seen) -> None:
    """Note which event the page shows from when on; answer as the page's script does."""
    async for message in page:
        now, text = time.time(), str(message)
        if text.startswith("{"):
            await page.send(str(json.loads(text)["echo"]))
        elif found := NUMBER.search(text):
            seen.append((int(found[1]), now))


async def committed_by_another(count: int, pause: float) -> list[float]:
    """Have the events committed; when each was."""
    command = [sys.executable, "-m", "benchmarks.live_latency", "--commit", str(count), str(pause)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    committed: list[float] = json.loads(output.splitlines()[-1])
    return committed


def delays(committed: list[float], seen: Seen) -> list[float]:
    """For every event the seconds until the page showed it or a later one. Raises RuntimeError when it never did."""
    numbers = [number for number, _ in seen]
    if not numbers or numbers[-1] != len(committed) - 1:
        raise RuntimeError(f"a page ended at event {numbers[-1:]} of {len(committed)}")
    return [seen[bisect_left(numbers, number)][1] - at for number, at in enumerate(committed)]


async def over_sockets(server: Served, cookie: str, pages: int, count: int, pause: float) -> dict[str, float]:
    """The delays of all events on all of so many pages."""
    address = server.address.replace("http", "ws", 1) + "/live/socket?topics=workers"
    seen: list[Seen] = [[] for _ in range(pages)]
    async with AsyncExitStack() as stack:
        for one in seen:
            page = await stack.enter_async_context(
                connect(address, additional_headers={"Cookie": cookie}, origin=server.address, max_size=None)
            )
            task = asyncio.create_task(follow(page, one))
            stack.callback(task.cancel)
        await asyncio.sleep(2)
        committed = await committed_by_another(count, pause)
        await asyncio.sleep(1)
    return harness.milliseconds([delay for one in seen for delay in delays(committed, one)])


async def in_a_browser(server: Served, cookie: str) -> dict[str, float] | None:
    """The delays until the document shows the event; None without a Chromium."""
    from playwright.async_api import async_playwright

    from tests.support.browser import FLAGS, executable

    path = executable()
    if path is None:
        return None
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        context = await browser.new_context()
        name, value = cookie.split("=", 1)
        await context.add_cookies([{"name": name, "value": value, "url": server.address}])
        page = await context.new_page()
        await page.goto(f"{server.address}/workers")
        await page.wait_for_selector('body[data-live="live"]')
        await page.evaluate(OBSERVE)
        committed = await committed_by_another(QUIET_EVENTS, QUIET_PAUSE)
        await asyncio.sleep(1)
        seen = [(int(number), float(at)) for number, at in await page.evaluate("window.shown")]
        await browser.close()
    return harness.milliseconds(delays(committed, seen))


async def measure(server: Served, cookie: str) -> dict[str, Any]:
    """All figures of P2."""
    quiet = await over_sockets(server, cookie, 1, QUIET_EVENTS, QUIET_PAUSE)
    crowd = await over_sockets(server, cookie, CROWD, CROWD_EVENTS, 1 / CROWD_RATE)
    return {
        "one_page_received_ms": quiet,
        "one_page_applied_in_chromium_ms": await in_a_browser(server, cookie),
        f"{CROWD}_pages_at_{CROWD_RATE}_per_second_received_ms": crowd,
    }


def main() -> None:
    if sys.argv[1:2] == ["--commit"]:
        commit_events(int(sys.argv[2]), float(sys.argv[3]))
        return
    about = harness.machine()
    with served() as (server, cookie):
        begin_work()
        figures = asyncio.run(measure(server, cookie))
    harness.report("live_latency", figures, about)


if __name__ == "__main__":
    main()
