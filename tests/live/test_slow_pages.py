"""Pages that do not keep up get less, never more and more."""

import pytest

from dashboard.live import bells, relay, sockets
from queue_app import dispatch
from tests.live.conftest import Page, in_database

pytestmark = pytest.mark.django_db(transaction=True)


async def change(times: int, page: Page) -> None:
    """Change the queue so often that its region looks different each time; `page` takes what comes of it."""
    for number in range(times):
        await in_database(dispatch.resume_queue if number % 2 else dispatch.pause_queue, "mira")
        await silence(page)


async def silence(page: Page) -> None:
    """Take everything that is under way."""
    while not await page.socket.receive_nothing(timeout=0.25):
        await page.take()


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(sockets, "MOST_MESSAGES", 4)
    monkeypatch.setattr(sockets, "ECHO_EVERY", 2)


async def test_a_page_that_does_not_echo_gets_no_more(open_page, narrow):
    page = await open_page("workers")
    page.echoes = False
    await change(8, page)
    assert len(page.messages) < 8


async def test_a_slow_page_is_drawn_anew_when_it_has_caught_up(open_page, narrow):
    page = await open_page("workers")
    page.echoes = False
    await change(6, page)
    await in_database(dispatch.pause_queue, "mira")
    assert await page.socket.receive_nothing(timeout=0.25)
    page.messages.clear()
    page.regions.clear()
    page.echoes = True
    await page.socket.send_to(text_data=str(page.beacons[-1]["echo"]))
    await page.until_shows("queue", "Resume queue")
    assert "workers-active" in page.messages[0]


async def test_a_slow_page_does_not_slow_another_down(open_page, narrow):
    slow, quick = await open_page("workers"), await open_page("workers")
    slow.echoes = False
    await change(6, quick)
    await in_database(dispatch.pause_queue, "mira")
    await quick.until_shows("queue", "Resume queue")


async def test_a_page_that_never_answers_is_closed_so_that_it_comes_back(open_page, monkeypatch):
    page = await open_page("")
    page.echoes = False
    monkeypatch.setattr(relay, "BEACON", 0.05)
    monkeypatch.setattr(sockets, "SILENCE", 0.5)
    assert await page.closed(timeout=bells.TICK * 4) == 1013


async def test_a_page_may_ask_to_be_drawn_anew(open_page):
    page = await open_page("workers")
    page.messages.clear()
    await page.socket.send_to(text_data="whole")
    await page.until(lambda: bool(page.messages))
    assert {"queue", "workers-active", "nav-workers"} <= set(page.messages[0])
