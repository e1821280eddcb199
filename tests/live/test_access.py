"""Who may have a socket, and for how long."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from dashboard.live import consumers, relay
from dashboard.live.sessions import still_signed_in
from dashboard.live.sockets import TRY_AGAIN_LATER
from tests.live.conftest import HOST, Page, cookie_of, in_database

pytestmark = pytest.mark.django_db(transaction=True)


async def test_somebody_who_has_not_signed_in_is_refused(relay):
    assert await Page("").refused() == 4401
    assert await Page("specyard_session=guessed").refused() == 4401
    assert relay.pages == 0


async def test_an_account_that_was_closed_is_refused(relay, cookie):
    await in_database(User.objects.update, is_active=False)
    assert await Page(cookie).refused() == 4401


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://localhost:3000", "http://localhost.evil.example:8420", "null", ""],
)
async def test_a_page_of_another_site_is_refused(relay, cookie, origin):
    await Page(cookie, origin=origin).refused()
    assert relay.pages == 0


@pytest.mark.parametrize(
    "topics",
    [
        *("kitchen", "worker", "worker:0", "worker:x", "workers:1", "worker:1'", "WORKERS", "worker:" + "9" * 30),
        "specs:" + "a&" * 900,
        ",".join(f"worker:{number}" for number in range(1, 20)),
    ],
)
async def test_unknown_topics_are_refused(relay, cookie, topics):
    assert await Page(cookie, topics).refused() == consumers.BAD_REQUEST


async def test_nobody_takes_the_pages_of_the_others(relay, open_page, cookie, monkeypatch):
    monkeypatch.setattr(consumers, "MOST_PAGES_OF_ONE", 2)
    await open_page("")
    await open_page("")
    assert await Page(cookie).refused() == 1013
    other = await Page(await in_database(cookie_of, "noor"), "").open()
    await other.leave()


async def test_too_many_pages_are_refused(relay, open_page, cookie, monkeypatch):
    await open_page("")
    monkeypatch.setattr(consumers, "MOST_PAGES", 1)
    assert await Page(cookie).refused() == 1013


async def test_a_worker_that_does_not_exist_leaves_the_rest_of_the_page_alive(open_page):
    page = await open_page("worker:4711")
    assert set(page.regions) == {"nav-workers", "status-line"}


async def test_who_signs_out_loses_the_socket(open_page, monkeypatch):
    page = await open_page("")
    monkeypatch.setattr(relay, "BEACON", 0.1)
    await in_database(Session.objects.all().delete)
    assert await page.closed() == 4401


async def test_a_new_password_ends_the_sockets_of_the_old_one(open_page, monkeypatch):
    page = await open_page("")
    monkeypatch.setattr(relay, "BEACON", 0.1)

    def change() -> None:
        user = User.objects.get(username="mira")
        user.set_password("something new")
        user.save()

    await in_database(change)
    assert await page.closed() == 4401


@pytest.mark.parametrize("message", ["hello", "-1", "1" * 40, "²"])
async def test_a_message_that_is_no_echo_ends_the_socket(open_page, message):
    page = await open_page("")
    await page.socket.send_to(text_data=message)
    assert await page.closed() == consumers.BAD_MESSAGE


async def test_an_echo_of_what_was_never_sent_changes_nothing(open_page):
    page = await open_page("")
    await page.socket.send_to(text_data="999999")
    assert await page.socket.receive_nothing()


async def test_a_page_whose_search_nobody_else_has_is_told_to_poll_when_there_are_many(relay, cookie, monkeypatch):
    monkeypatch.setattr("dashboard.live.relay.MOST_FILTERS", 1)
    first, same = [await Page(cookie, topics).open() for topics in ("specs:q=one", "specs:q=one,workers")]
    assert await Page(cookie, "specs:q=two").refused() == TRY_AGAIN_LATER
    monkeypatch.setattr("dashboard.live.relay.MOST_FILTERS", 0)  # two came at once, and now there is one too many
    await (await Page(cookie, "workers").open()).leave()
    for page in (first, same):
        await page.leave()


def test_sessions_without_a_key_are_not_signed_in():
    assert still_signed_in(["", "unknown"]) == set()


def test_the_poll_gives_what_the_socket_would(cookie):
    client = Client(headers={"cookie": cookie, "host": HOST})
    reply = client.get(reverse("live-poll"), {"topics": "workers"})
    assert reply.headers["X-Seq"] == "0"
    text = reply.content.decode()
    for target in ("nav-workers", "status-line", "queue", "workers-active", "finished"):
        assert f'<hx-partial hx-target="#{target}" hx-swap="outerMorph"><' in text


def test_the_poll_sends_who_is_not_signed_in_away(client):
    assert client.get(reverse("live-poll"), headers={"HX-Request": "true"}).status_code == 401
    assert client.get(reverse("live-poll")).status_code == 302


def test_the_poll_refuses_unknown_topics(cookie):
    client = Client(headers={"cookie": cookie})
    assert client.get(reverse("live-poll"), {"topics": "kitchen"}).status_code == 400
