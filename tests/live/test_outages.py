"""Redis and the database go and come back; the page is right again by itself."""

import asyncio
import logging

import pytest
from channels.layers import get_channel_layer
from django.db import OperationalError, transaction

from dashboard.live import bells, board, relay
from queue_app import dispatch
from tests.live.conftest import in_database
from workers import publisher
from workers.models import Event, EventCounter, emit, unit_of_work
from workers.states import EventKind

pytestmark = pytest.mark.django_db(transaction=True)


async def is_subscribed(valkey) -> bool:
    def ask() -> bool:
        client = valkey.client
        try:
            ((_, count),) = client.pubsub_numsub(f"{publisher.CHANNEL_PREFIX}__group__{publisher.EVENTS_GROUP}")
        finally:
            client.close()
        return bool(count)

    return await asyncio.to_thread(ask)


async def subscribed_again(valkey, timeout: float = 5) -> None:
    async with asyncio.timeout(timeout):
        while not await is_subscribed(valkey):
            await asyncio.sleep(0.02)


async def test_without_redis_a_page_opens_and_is_at_most_a_tick_late(open_page, valkey):
    await asyncio.to_thread(valkey.kill)
    page = await open_page("workers")
    await in_database(dispatch.pause_queue, "mira")
    await page.until_shows("queue", "Resume queue", timeout=bells.TICK + 0.5)


async def test_the_subscription_is_made_when_redis_comes_later_than_the_page(open_page, valkey):
    await asyncio.to_thread(valkey.kill)
    await open_page("workers")
    await asyncio.to_thread(valkey.start)
    await subscribed_again(valkey)


async def test_an_outage_of_redis_is_told_once_and_leaves_nothing_behind(open_page, valkey, monkeypatch, caplog):
    monkeypatch.setattr(bells, "RETRY", 0.01)
    caplog.set_level(logging.DEBUG, "dashboard.live.bells")
    await asyncio.to_thread(valkey.kill)
    await open_page("workers")
    async with asyncio.timeout(5):
        while len(caplog.records) < 10:
            await asyncio.sleep(0.02)
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    await asyncio.to_thread(valkey.start)
    await subscribed_again(valkey)
    assert len(get_channel_layer()._get_layer().channels) == 1


async def test_a_redis_that_restarts_after_a_quiet_time_is_heard_again(open_page, valkey, monkeypatch):
    page = await open_page("workers")
    await subscribed_again(valkey)
    await asyncio.to_thread(valkey.kill)
    for _ in range(12):  # three quiet seconds, in which nothing may give up
        await asyncio.sleep(0.25)
    await in_database(dispatch.pause_queue, "mira")  # its bell is lost
    await page.until_shows("queue", "Resume queue", timeout=bells.TICK + 0.5)
    await asyncio.to_thread(valkey.start)
    await subscribed_again(valkey)
    monkeypatch.setattr(bells, "TICK", 3600.0)  # from here on only a bell can tell
    await asyncio.sleep(0.01)
    await in_database(dispatch.resume_queue, "mira")
    await page.until_shows("queue", "Pause queue")


async def test_a_database_that_does_not_answer_is_asked_again(open_page, monkeypatch, caplog):
    page = await open_page("workers")
    failures = [OperationalError("the server closed the connection")] * 4
    real = relay.look

    def look(since: int):
        if failures:
            raise failures.pop()
        return real(since)

    monkeypatch.setattr(relay, "look", look)
    await in_database(dispatch.pause_queue, "mira")
    await page.until_shows("queue", "Resume queue", timeout=2 * relay.RETRY + bells.TICK + 1)
    assert "does not answer" in caplog.text


async def test_no_beacon_is_sent_while_the_database_does_not_answer(open_page, monkeypatch):
    page = await open_page("")
    monkeypatch.setattr(relay, "BEACON", 0.05)
    await page.until(lambda: len(page.beacons) > 3, timeout=bells.TICK * 5)

    def look(since: int):
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(relay, "look", look)
    await page.socket.receive_nothing(timeout=0.2)  # what was under way
    page.beacons.clear()
    assert await page.socket.receive_nothing(timeout=bells.TICK + 0.4, interval=0.1)


async def test_a_gap_in_the_outbox_draws_everything_again(open_page):
    page = await open_page("workers")

    @unit_of_work
    def something_else() -> None:
        emit(EventKind.WORKER_PROGRESS, 4711)

    def change_behind_its_back() -> None:
        with transaction.atomic():
            dispatch.pause_queue("mira")
            Event.objects.all().delete()  # nobody is told that the queue was paused
            something_else()

    await in_database(change_behind_its_back)
    await page.until_shows("queue", "Resume queue")


async def test_the_outbox_of_another_database_draws_everything_again(open_page, monkeypatch):
    await in_database(dispatch.pause_queue, "mira")
    page = await open_page("workers")
    assert page.beacons[-1]["seq"] == 1
    monkeypatch.setattr(relay, "BEACON", 0.0)

    def replace() -> None:
        Event.objects.all().delete()
        EventCounter.objects.update(seq=0)

    await in_database(replace)
    await page.until(lambda: page.beacons[-1]["seq"] == 0)
    await in_database(dispatch.resume_queue, "mira")
    await page.until_shows("queue", "Pause queue")


async def test_a_fragment_that_cannot_be_drawn_does_not_stop_the_others(open_page, monkeypatch, caplog):
    page = await open_page("workers")

    def broken() -> None:
        raise ValueError("a defect in a template")

    monkeypatch.setitem(__import__("dashboard.live.drawing", fromlist=["SHARED"]).SHARED, "capacity", broken)
    await in_database(dispatch.pause_queue, "mira")
    await page.until_shows("queue", "Resume queue")
    assert "Cannot draw" in caplog.text


async def test_what_was_drawn_long_ago_is_forgotten(open_page, relay, monkeypatch):
    page = await open_page("workers")
    monkeypatch.setattr(board, "KEEP", -1.0)
    relay._board.forget_old(asyncio.get_running_loop().time())
    assert not relay._board._drawn_at
    await in_database(dispatch.pause_queue, "mira")
    await page.until_shows("queue", "Resume queue")
