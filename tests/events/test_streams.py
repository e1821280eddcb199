"""What a program gets that follows events: everything once, in order, whatever happens to the connection."""

import asyncio
from typing import Any

import pytest
from django.db import OperationalError

from dashboard.events import Page, Wanted, reading, told_after
from dashboard.live import feed as feeds
from dashboard.live import sse
from dashboard.live.callers import Caller
from dashboard.live.feed import Feed
from dashboard.live.streams import Stream
from tests.events.conftest import Open, in_database, write
from tests.support import make
from tests.support.valkey import Valkey
from workers.models import Event, EventCounter, latest_seq
from workers.states import EventKind

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_new_stream_tells_what_happens_from_now_on(open_stream: Open, valkey: Valkey) -> None:
    await in_database(write, 3)
    stream = await open_stream()
    assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
    assert "content-length" not in stream.headers
    assert stream.headers["cache-control"] == "no-store, no-transform"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.retry == sse.RETRY_MS
    assert (stream.id, stream.events) == ("3", [])
    await in_database(write, 1, EventKind.NODE_OFFLINE, node="yard-1")
    await stream.until_told(4)
    (event,) = stream.events
    at = event.pop("at")
    assert event == {"seq": 4, "kind": "node_offline", "worker_id": None, "data": {"node": "yard-1"}}
    assert at.endswith("Z")


async def test_it_works_without_redis(open_stream: Open) -> None:
    stream = await open_stream()
    await in_database(write, 2)
    await stream.until_told(2)
    assert stream.numbers == [1, 2]


async def test_whoever_comes_back_gets_what_was_missed(open_stream: Open) -> None:
    await in_database(write, 1234)
    stream = await open_stream(last=17)
    await stream.until_told(1234)
    await in_database(write, 2)
    await stream.until_told(1236)
    assert stream.numbers == list(range(18, 1237))


async def test_the_header_counts_instead_of_the_query(open_stream: Open) -> None:
    await in_database(write, 9)
    stream = await open_stream(last=7, since=2)
    await stream.until_told(9)
    assert stream.numbers == [8, 9]
    other = await open_stream(since=8)
    await other.until_told(9)
    assert other.numbers == [9]


@pytest.mark.parametrize("redis", [True, False])
async def test_nothing_is_lost_and_nothing_comes_twice_while_several_write(
    redis: bool, open_stream: Open, request: pytest.FixtureRequest
) -> None:
    if redis:
        request.getfixturevalue("valkey")
    await in_database(write, 700)
    listening = await open_stream()  # so that the reader is at work when others come
    over = asyncio.Event()

    async def hammer() -> None:
        number = 0
        while not over.is_set():
            number += 1
            await in_database(write, 1 + number % 7)

    writers = [asyncio.create_task(hammer()) for _ in range(3)]
    told: dict[int, list[int]] = {}
    for since in range(0, 700, 35):  # each comes at another moment of the reader's turn
        stream = await open_stream(last=since)
        reached = await in_database(latest_seq)
        await stream.until_told(reached + 20)
        told[since] = stream.numbers
        await stream.leave()
    over.set()
    await asyncio.gather(*writers)
    await listening.until_told(await in_database(latest_seq))
    assert listening.numbers == list(range(701, listening.numbers[-1] + 1))
    for since, numbers in told.items():
        assert numbers == list(range(since + 1, numbers[-1] + 1))


async def test_a_stream_that_is_behind_the_reader_reads_on_before_it_goes_live(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_database(write, 5)
    feed.seq = 5  # the reader was faster
    stream = Stream(Caller(1), Wanted(), 0)
    with monkeypatch.context() as patched:
        patched.setattr(feeds, "page_after", lambda *_: Page(told_after(0, with_projects=False)[:3], 3, is_last=True))
        assert [told.seq for told in await feed.catch_up(stream)] == [1, 2, 3]
    assert not stream.is_live
    assert [told.seq for told in await feed.catch_up(stream)] == [4, 5]
    assert stream.is_live


async def test_many_streams_at_once_all_get_everything(open_stream: Open, valkey: Valkey) -> None:
    streams = [await open_stream() for _ in range(8)]
    for _ in range(50):
        await in_database(write, 3)
    for stream in streams:
        await stream.until_told(150)
        assert stream.numbers == list(range(1, 151))


async def test_a_stream_that_does_not_keep_up_reads_again_what_it_missed(
    open_stream: Open, feed: Feed, monkeypatch: pytest.MonkeyPatch, valkey: Valkey
) -> None:
    monkeypatch.setattr("dashboard.live.streams.MOST_WAITING", 5)
    stream = await open_stream()
    for _ in range(40):
        await in_database(write, 6)
    await stream.until_told(240)
    assert stream.numbers == list(range(1, 241))


async def test_filters(open_stream: Open) -> None:
    mine, other = await in_database(make.worker), await in_database(make.worker)
    start = await in_database(latest_seq)
    kinds = await open_stream(kind=["node_offline", "worker_paused"])
    worker = await open_stream(worker=mine.pk)
    project = await open_stream(project=mine.project_id)
    both = await open_stream(project=mine.project_id, kind="queue_updated")
    assert kinds.id == str(start)
    paused, about = {"by": "mira"}, {"action": "started", "entry": 1}
    await in_database(write, 1, EventKind.WORKER_PAUSED, mine.pk, **paused)
    await in_database(write, 1, EventKind.WORKER_PAUSED, other.pk, **paused)
    await in_database(write, 1, EventKind.QUEUE_UPDATED, **about, worker=mine.pk)
    await in_database(write, 1, EventKind.QUEUE_UPDATED, action="removed", entry=2, spec=other.spec_id)
    await in_database(write, 1, EventKind.SETTINGS_CHANGED, action="project_saved", project=mine.project_id)
    await in_database(write, 1, EventKind.NODE_OFFLINE, node="one")
    await kinds.until_told(start + 6)
    assert kinds.numbers == [start + 1, start + 2, start + 6]
    await worker.until_told(start + 3)
    await project.until_told(start + 5)
    await both.until_told(start + 3)
    assert (worker.numbers, project.numbers) == ([start + 1, start + 3], [start + 1, start + 3, start + 5])
    assert both.numbers == [start + 3]
    replayed = await open_stream(project=mine.project_id, last=start)
    await replayed.until_told(start + 5)
    assert replayed.numbers == project.numbers


async def test_a_stream_that_wants_little_moves_on_too(
    open_stream: Open, monkeypatch: pytest.MonkeyPatch, valkey: Valkey
) -> None:
    """Or whoever comes back with its id would be told that events of no interest are gone."""
    monkeypatch.setattr(sse, "PING", 0.1)
    stream = await open_stream(kind="worker_paused")
    await in_database(write, 5)
    await stream.until(lambda: stream.id == "5")
    assert stream.events == []


async def test_who_wants_little_of_much_lets_others_read_in_between(
    open_stream: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LOOKED_AT", 100)
    await in_database(write, 250)
    await in_database(write, 1, EventKind.WORKER_PAUSED, 1, by="mira")
    wanted = Wanted(kinds=frozenset({EventKind.WORKER_PAUSED}))
    first = await in_database(reading.page_after, 0, wanted)
    assert (first.events, first.seq, first.is_last) == ([], 100, False)
    stream = await open_stream(last=0, kind="worker_paused")
    await stream.until_told(251)
    assert stream.numbers == [251]
    assert "id: 100\n\nid: 200\n\n" in stream.body, "who is disconnected meanwhile does not begin anew"


async def test_a_database_that_does_not_answer_is_asked_again_and_the_client_hears_that_somebody_is_there(
    open_stream: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_database(write, 3)
    failures = [OperationalError("the server closed the connection")] * 6

    def failing(*given: Any) -> Page:
        if failures:
            raise failures.pop()
        return reading.page_after(*given)

    monkeypatch.setattr(feeds, "page_after", failing)
    monkeypatch.setattr(feeds, "RETRY", 0.01)
    stream = await open_stream(last=0)
    await stream.until_told(3)
    assert stream.comments == 3, "each failure is one of the thread's two tries"
    assert stream.numbers == [1, 2, 3]


async def test_silence_is_broken_by_comments(open_stream: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "PING", 0.05)
    stream = await open_stream()
    await stream.until(lambda: stream.comments >= 3)
    assert stream.events == []


async def test_what_is_gone_is_said_to_be(open_stream: Open) -> None:
    await in_database(write, 20)
    await in_database(Event.objects.filter(seq__lte=10).delete)
    stream = await open_stream(last=4, kind="worker_paused")
    await stream.until_told(20)
    (event,) = stream.events
    assert (event["kind"], event["data"]) == ("reset", {"wanted": 4, "oldest": 11})
    complete = await open_stream(last=10)
    await complete.until_told(20)
    assert complete.numbers == list(range(11, 21))
    await in_database(write, 1, EventKind.WORKER_PAUSED, 1, by="mira")
    await stream.until_told(21)
    assert stream.kinds == ["reset", "worker_paused"]


async def test_so_is_an_id_of_another_database(open_stream: Open) -> None:
    await in_database(write, 3)
    stream = await open_stream(last=4711)
    await stream.until_told(3)
    assert (stream.kinds, stream.events[0]["data"]) == (["reset"], {"wanted": 4711, "oldest": 1})


async def test_and_what_goes_while_one_listens(open_stream: Open, valkey: Valkey) -> None:
    """A database that was put back to an older state, say."""
    await in_database(write, 50)
    stream = await open_stream()
    await in_database(Event.objects.all().delete)
    await in_database(EventCounter.objects.update, seq=7)
    await stream.until(lambda: stream.kinds == ["reset"])
    assert stream.events[0]["seq"] == 7
    await in_database(write, 1)
    await stream.until_told(8)
