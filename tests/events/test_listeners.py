"""Who may follow events, for how long, and how many streams at once."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard import scrape
from dashboard.events import Page, reading
from dashboard.live import bells
from dashboard.live import feed as feeds
from dashboard.live.feed import Feed, places
from dashboard.models import ApiToken
from tests.events.conftest import Open, in_database, write

pytestmark = pytest.mark.django_db(transaction=True)


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
