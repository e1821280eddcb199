"""Links that sign in once, and what becomes of sessions."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone

from dashboard import accounts, signin
from dashboard.live.sessions import still_signed_in
from dashboard.models import SignInLink
from tests.accounts.conftest import account, last
from tests.support.driving import Pool

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def mira(db: None) -> User:
    return account("mira", "operator", password=PASSWORD)


def session(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def key(client: Client) -> str:
    return client.cookies["specyard_session"].value


def test_looking_at_a_link_does_not_use_it_up(mira: User) -> None:
    path, browser = signin.create_link(mira), Client()
    for method in (browser.head, browser.get, browser.get):
        assert method(path).status_code == 200
    assert browser.get("/workers").status_code == 302
    assert browser.post(path)["Location"] == "/workers"
    assert browser.get("/workers").status_code == 200
    entry = last(action="account.sign_in")
    assert (entry.actor, entry.source, entry.after["how"]) == ("mira", "page", "link")


def test_the_page_of_a_link_says_who_signs_in_and_tells_nobody_its_address(mira: User) -> None:
    page = Client().get(signin.create_link(mira))
    assert "mira" in page.content.decode()
    assert page["Referrer-Policy"] == "strict-origin"  # "no-referrer" would make browsers send the form without Origin
    assert "no-store" in page["Cache-Control"]


def test_the_button_needs_the_token_of_the_page(mira: User) -> None:
    path, browser = signin.create_link(mira), Client(enforce_csrf_checks=True)
    assert browser.post(path).status_code == 403
    token = browser.get(path).context["csrf_token"]
    assert browser.post(path, {"csrfmiddlewaretoken": str(token)}).status_code == 302


@pytest.mark.parametrize(
    ("host", "headers", "presses"),
    [
        ("127.0.0.1:8420", {}, True),
        ("localhost", {}, True),
        ("[::1]:8420", {}, True),
        ("yard.example", {}, False),
        ("127.0.0.1:8420", {"X-Forwarded-For": "203.0.113.9"}, False),  # a proxy that says its own Host
    ],
)
def test_only_on_this_machine_the_page_presses_its_button_itself(
    mira: User, settings: Any, host: str, headers: dict[str, str], presses: bool
) -> None:
    settings.ALLOWED_HOSTS = ["yard.example", *settings.ALLOWED_HOSTS]
    page = Client(HTTP_HOST=host).get(signin.create_link(mira), headers=headers)
    assert ("data-press" in page.content.decode()) == presses


@pytest.mark.parametrize("spoil", ["used", "expired", "closed", "made up"])
def test_a_link_that_does_not_work_leads_to_the_form(mira: User, spoil: str) -> None:
    path = signin.create_link(mira)
    if spoil == "used":
        Client().post(path)
    elif spoil == "expired":
        SignInLink.objects.update(expires_at=timezone.now())
    elif spoil == "closed":
        User.objects.update(is_active=False)
    else:
        path = signin.PATH + "x" * 43
    for method in ("get", "post"):
        browser = Client()
        assert getattr(browser, method)(path)["Location"] == "/sign-in"
        assert "has been used or is too old" in browser.get("/sign-in").content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_signs_in() -> None:
    user = account("mira")
    tokens = [signin.create_link(user).removeprefix(signin.PATH) for _ in range(10)]
    found: list[User | None] = []
    with Pool(8) as pool:
        futures = [pool.submit(lambda token=token: found.append(signin.redeem(token))) for token in tokens * 3]
    assert [future.exception() for future in futures] == [None] * 30
    connection.close()
    assert sum(one is not None for one in found) == len(tokens)


def test_a_password_signs_in_and_out_and_both_are_recorded(mira: User) -> None:
    browser = Client()
    assert browser.post("/sign-in", {"username": "mira", "password": PASSWORD})["Location"] == "/workers"
    assert last().action == "account.sign_in"
    assert last().after == {"how": "password", "address": "127.0.0.1"}
    browser.post("/sign-out")
    assert (last().action, last().actor) == ("account.sign_out", "mira")


def test_a_session_gets_another_key_when_somebody_signs_in(mira: User) -> None:
    browser = Client()
    browser.session.save()
    before = key(browser)
    browser.post("/sign-in", {"username": "mira", "password": PASSWORD})
    assert key(browser) != before


def test_another_password_ends_the_other_sessions(mira: User) -> None:
    here, there = session(mira), session(mira)
    form = {"old": PASSWORD, "password": "another good one 7"}
    assert here.post("/account/password", form).status_code == 302
    assert here.get("/workers").status_code == 200
    assert there.get("/workers").status_code == 302
    assert still_signed_in([key(here), key(there)]) == {key(here)}
    assert last(action="account.set_password").label == "mira"
    assert "another good" not in str(last().after) + str(last().before)


def test_a_wrong_old_password_changes_nothing(mira: User) -> None:
    here = session(mira)
    reply = here.post("/account/password", {"old": "no", "password": "another good one 7"})
    assert reply.status_code == 400
    assert "is not your password" in reply.content.decode()
    mira.refresh_from_db()
    assert mira.check_password(PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "12345678901", "password123"])
def test_a_weak_password_is_refused_with_the_reason(mira: User, password: str) -> None:
    reply = session(mira).post("/account/password", {"old": PASSWORD, "password": password})
    assert reply.status_code == 400
    assert "New password: " in reply.content.decode()


def test_who_came_by_a_link_may_set_a_first_password() -> None:
    user = account("mira")
    here = session(user)
    assert "Password now" not in here.get("/account/password").content.decode()
    assert here.post("/account/password", {"password": "another good one 7"}).status_code == 302
    assert here.get("/workers").status_code == 200


def test_a_closed_account_loses_its_sessions_for_good(mira: User) -> None:
    here, other = session(mira), session(account("noor"))
    accounts.deactivate(mira)
    assert still_signed_in([key(here), key(other)]) == {key(other)}
    accounts.activate(mira)
    assert here.get("/workers").status_code == 302
    assert Session.objects.count() == 1


def test_old_links_do_not_open_a_closed_account_again(mira: User) -> None:
    path = signin.create_link(mira)
    accounts.deactivate(mira)
    accounts.activate(mira)
    assert Client().post(path)["Location"] == "/sign-in"


@pytest.mark.parametrize("who", ["an administrator", "the owner"])
def test_a_new_password_ends_old_links(mira: User, who: str) -> None:
    path = signin.create_link(mira)
    if who == "the owner":
        client = Client()
        client.force_login(mira)
        client.post("/account/password", {"old": PASSWORD, "password": "another good one 7"})
    else:
        accounts.set_password(mira, "another good one 7")
    assert Client().post(path)["Location"] == "/sign-in"


def test_the_owner_is_who_administers_by_group() -> None:
    ada = account("ada", "admin")
    assert signin.owner() == ada


def test_links_expire_after_ten_minutes(mira: User) -> None:
    signin.create_link(mira)
    left = SignInLink.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)


def test_the_script_of_the_page_is_there() -> None:
    assert Path(django_settings.ROOT, "static/js/press.js").exists()
