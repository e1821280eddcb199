"""Guessing passwords: slowed down for who guesses, not for the right person somewhere else."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory

from dashboard import slowing
from dashboard.models import AuditEntry, Failures
from tests.accounts.conftest import last
from tests.support.driving import Pool

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
FREE = 5


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def mira(quick: None) -> User:
    return User.objects.create_user("mira", password=PASSWORD)


def sign_in(password: str, name: str = "mira", address: str = "192.0.2.1") -> HttpResponse:
    return Client(REMOTE_ADDR=address).post("/sign-in", {"username": name, "password": password})


def guess(times: int, **given: str) -> list[int]:
    return [sign_in("wrong", **given).status_code for _ in range(times)]


def time_passes(span: timedelta) -> None:
    for row in Failures.objects.all():
        Failures.objects.filter(pk=row.pk).update(last_at=row.last_at - span, blocked_until=row.blocked_until - span)


def test_some_tries_are_free_and_then_there_is_a_wait_in_words(mira: User) -> None:
    assert guess(FREE + 1) == [200] * (FREE + 1)
    refused = sign_in(PASSWORD)
    assert refused.status_code == 429
    assert refused["Retry-After"] == "1"
    assert "Too many tries that failed. Wait 1 second, then try again." in refused.content.decode()
    assert "_auth_user_id" not in refused.client.session  # type: ignore[attr-defined]


def test_each_failure_doubles_the_wait_up_to_a_quarter_of_an_hour(mira: User) -> None:
    guess(FREE)
    waits = []
    for _ in range(13):
        time_passes(timedelta(minutes=15))
        guess(1)
        waits.append(int(sign_in("wrong")["Retry-After"]))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert "Wait 15 minutes" in sign_in("wrong").content.decode()


def test_what_is_refused_is_not_counted(mira: User) -> None:
    guess(FREE + 1)
    before = list(Failures.objects.values_list("key", "count"))
    guess(10)
    assert list(Failures.objects.values_list("key", "count")) == before


def test_the_right_person_signs_in_from_elsewhere(mira: User) -> None:
    guess(FREE + 5)
    assert sign_in(PASSWORD).status_code == 429
    assert sign_in(PASSWORD, address="192.0.2.2").status_code == 302


def test_others_sign_in_from_the_same_address(mira: User) -> None:
    User.objects.create_user("noor", password=PASSWORD)
    guess(FREE + 5)
    assert sign_in(PASSWORD, name="noor").status_code == 302


def test_after_the_wait_the_right_password_opens_and_clears(mira: User) -> None:
    guess(FREE + 1)
    time_passes(timedelta(seconds=2))
    assert sign_in(PASSWORD).status_code == 302
    assert guess(FREE + 1) == [200] * (FREE + 1)


def test_many_names_from_one_address_are_slowed_down_too(mira: User) -> None:
    statuses = [sign_in("wrong", name=f"user{n}").status_code for n in range(25)]
    assert statuses[:21] == [200] * 21
    assert 429 in statuses


def test_a_password_of_ones_own_does_not_buy_tries_at_others(mira: User) -> None:
    statuses = []
    for n in range(30):
        statuses.append(sign_in("wrong", name=f"user{n}").status_code)
        sign_in(PASSWORD)
    assert 429 in statuses


def test_a_try_under_way_does_not_lift_the_wait_that_another_has_caused(rf: RequestFactory) -> None:
    request = rf.get("/", REMOTE_ADDR="192.0.2.1")
    for n in range(19):
        slowing.count(slowing.passwords(request, f"user{n}"))
    own = slowing.count(slowing.passwords(request, "mira"))
    slowing.count(slowing.passwords(request, "victim"))
    slowing.forgive(own)
    with pytest.raises(slowing.Slowed):
        slowing.count(slowing.passwords(request, "victim 2"))


def test_failures_are_forgotten_after_an_hour_and_their_rows_after_a_day(mira: User) -> None:
    guess(FREE)
    time_passes(timedelta(hours=1))
    assert guess(FREE) == [200] * FREE
    guess(1, name="other")
    time_passes(timedelta(days=2))
    guess(1, name="third")
    assert Failures.objects.count() == 2


def test_an_address_of_ipv6_counts_with_its_network(mira: User) -> None:
    for n in range(FREE + 1):
        guess(1, address=f"2001:db8:1:2::{n + 1:x}")
    assert sign_in("wrong", address="2001:db8:1:2:ffff::9").status_code == 429
    assert sign_in("wrong", address="2001:db8:1:3::1").status_code == 200


@pytest.mark.parametrize("name", ["mira", "MIRA", "Mira"])
def test_another_spelling_is_the_same_account(mira: User, name: str) -> None:
    guess(FREE + 1)
    assert sign_in("wrong", name=name).status_code == 429


@pytest.mark.parametrize("name", ["", "\0", "ä" * 5000, "' OR 1=1 --"])
def test_a_name_that_is_none_is_just_wrong(name: str) -> None:
    assert sign_in("wrong", name=name).status_code == 200


def test_what_was_typed_is_kept_nowhere_unless_it_is_an_account(mira: User) -> None:
    sign_in("wrong", name="my secret password")
    assert (last(action="account.sign_in_failed").label, last().target_id) == ("unknown", None)
    sign_in("wrong")
    entry = last(action="account.sign_in_failed")
    assert (entry.label, entry.target_id, entry.actor) == ("mira", mira.pk, "")
    assert entry.after == {"how": "password", "address": "192.0.2.1"}
    everything = str(list(AuditEntry.objects.values())) + str(list(Failures.objects.values()))
    assert "secret" not in everything


def test_addresses_are_those_that_the_trusted_proxies_saw(mira: User, settings: Any, rf: RequestFactory) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    request = rf.get("/", REMOTE_ADDR="10.0.0.1", headers=forwarded)
    seen = []
    for proxies in (0, 1, 2, 3):
        settings.SPECYARD = settings.SPECYARD.model_copy(update={"trusted_proxies": proxies})
        seen.append(slowing.address_of(request))
    assert seen == ["10.0.0.1", "198.51.100.7", "203.0.113.9", "10.0.0.1"]


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[", "["),
        ("unknown", "unknown"),
    ],
)
def test_another_port_is_no_other_address(told: str, address: str, settings: Any, rf: RequestFactory) -> None:
    settings.SPECYARD = settings.SPECYARD.model_copy(update={"trusted_proxies": 1})
    assert slowing.address_of(rf.get("/", headers={"X-Forwarded-For": told})) == address


def test_ones_own_old_password_cannot_be_guessed_quickly(mira: User) -> None:
    client = Client()
    client.force_login(mira)
    form = {"old": "wrong", "password": "another good one 7"}
    statuses = [client.post("/account/password", form).status_code for _ in range(FREE + 2)]
    assert statuses == [400] * (FREE + 1) + [429]


@pytest.mark.django_db(transaction=True)
def test_of_many_tries_at_the_same_moment_each_counts(mira: User) -> None:
    def one(n: int) -> None:
        try:
            slowing.count(slowing.passwords(RequestFactory().get("/", REMOTE_ADDR="192.0.2.1"), "mira"))
            looked_at.append(n)
        except slowing.Slowed:
            pass

    looked_at: list[int] = []
    with Pool(8) as pool:
        futures = [pool.submit(one, n) for n in range(30)]
    assert [future.exception() for future in futures] == [None] * 30
    connection.close()
    assert FREE + 1 <= len(looked_at) <= FREE + 3  # a slow machine may wait a second meanwhile
