"""What a program gets that follows events: everything once, in order, whatever happens to the connection."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from dashboard import scrape
from dashboard.events import Page, Wanted, reading, told_after
from dashboard.live import bells, sse
from dashboard.live import feed as feeds
from dashboard.live.callers import Caller
from dashboard.live.feed import Feed, places
from dashboard.live.streams import Stream
from dashboard.models import ApiToken
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
async def test_nothing_is_lost_and_nothing_comes_twice_while_somebody_writes(
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

    writer = asyncio.create_task(hammer())
    told: dict[int, list[int]] = {}
    for since in range(0, 700, 35):  # each comes at another moment of the reader's turn
        stream = await open_stream(last=since)
        reached = await in_database(latest_seq)
        await stream.until_told(reached + 20)
        told[since] = stream.numbers
        await stream.leave()
    over.set()
    await writer
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


# Who may listen, and for how long.


@pytest.mark.parametrize("how", ["revoked", "expired", "closed"])
async def test_a_stream_ends_with_its_token(
    how: str, open_stream: Open, mira: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "CHECK", 0.05)
    stream = await open_stream()
    past = timezone.now() - timedelta(seconds=1)
    changes: dict[str, dict[str, Any]] = {"revoked": {"revoked_at": past}, "expired": {"expires_at": past}}
    if how == "closed":
        await in_database(User.objects.filter(pk=mira.pk).update, is_active=False)
    else:
        await in_database(ApiToken.objects.update, **changes[how])
    await stream.ended()
    again = await open_stream()
    assert (again.status, again.headers["content-type"]) == (401, "application/problem+json")


async def test_a_stream_ends_with_its_session(open_stream: Open, mira: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "CHECK", 0.05)
    client = Client()
    await in_database(client.force_login, mira)
    cookie = {"Cookie": f"specyard_session={client.cookies['specyard_session'].value}"}
    stream = await open_stream(cookie)
    await in_database(write)
    await stream.until_told(1)
    await in_database(client.logout)
    await stream.ended()


async def test_what_was_read_for_somebody_who_is_not_welcome_any_more_is_not_sent(
    open_stream: Open, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_database(write, 3)

    def read(*given: Any) -> Page:
        for stream in feed.streams:
            stream.is_over = True
        return reading.page_after(*given)

    monkeypatch.setattr(feeds, "page_after", read)
    stream = await open_stream(last=0)
    await stream.ended()
    assert stream.events == []


def test_everybody_is_asked_again_within_15_seconds() -> None:
    assert feeds.CHECK + bells.TICK <= 15


async def test_nobody_else_may_listen(open_stream: Open) -> None:
    stream = await open_stream({})
    assert stream.status == 401
    assert json.loads(stream.body)["type"] == "urn:specyard:problem:unauthorized"


async def test_a_page_of_another_site_may_not_hold_streams_open(open_stream: Open, mira: User) -> None:
    client = Client()
    await in_database(client.force_login, mira)
    cookie = f"specyard_session={client.cookies['specyard_session'].value}"
    foreign = await open_stream({"Cookie": cookie, "Origin": "http://localhost:5000"})
    assert foreign.status == 403
    assert (await open_stream({"Cookie": cookie, "Origin": "http://localhost"})).status == 200


async def test_an_account_has_so_many_streams_and_no_more(
    open_stream: Open, bearer: dict[str, str], settings: Any
) -> None:
    settings.SPECYARD = settings.SPECYARD.model_copy(update={"event_streams_per_account": 2})
    first, _ = await open_stream(), await open_stream()
    refused = await open_stream()
    assert (refused.status, refused.headers["retry-after"]) == (429, "30")
    assert json.loads(refused.body)["type"] == "urn:specyard:problem:too-many-streams"
    await first.leave()
    assert (await open_stream()).status == 200
    assert places.taken == 2
    told, _ = await in_database(scrape.page, "")
    assert b"\nspecyard_web_event_streams 2.0\n" in told


async def test_places_are_given_back(open_stream: Open) -> None:
    for _ in range(3):
        stream = await open_stream()
        await stream.leave()
    await open_stream(last="x")
    assert places.taken == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"kind": "nonsense"}, "kind.0"),
        ({"worker": "x"}, "worker.0"),
        ({"project": "0"}, "project.0"),
        ({"since": "-1"}, "since"),
        ({"since": str(2**63)}, "since"),
        ({"last": "x"}, "Last-Event-ID"),
        ({"last": "-1"}, "Last-Event-ID"),
        ({"last": "9" * 30}, "Last-Event-ID"),
        ({"last": "²"}, "Last-Event-ID"),
    ],
)
async def test_nonsense_is_refused(query: dict[str, str], field: str, open_stream: Open) -> None:
    stream = await open_stream(**query)
    assert stream.status == 422
    assert [error["field"] for error in json.loads(stream.body)["errors"]] == [field]
