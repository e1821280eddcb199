"""Accounts of people over the API: by the verbs of the pages, and never more than who asks may."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard import access, accounts
from dashboard.models import ApiToken, AuditEntry, KeptAnswer
from tests.accounts.conftest import account, last, program, token_of
from tests.api.conftest import Call, caller
from tests.support.driving import Pool
from tests.support.wait import until

pytestmark = pytest.mark.django_db
GOOD = "another good one 7"


@pytest.fixture
def root(admin: Client) -> Call:
    """Calls the API as the administrator ada, who has signed in."""
    return caller(admin)


@pytest.fixture
def mira(db: None) -> User:
    return account("mira", "operator", password="a first one 1")


def signed_in(user: User) -> Client:
    client = Client(enforce_csrf_checks=False)
    client.force_login(user)
    return client


def tag(reply: HttpResponse) -> dict[str, str]:
    return {"If-Match": reply["ETag"]}


def test_an_account_is_added_found_and_changed(root: Call) -> None:
    made = root("post", "/accounts", {"name": "mira", "role": "operator"})
    user = User.objects.get(username="mira")
    assert (made.status_code, made["Location"]) == (201, f"/api/accounts/{user.pk}")
    assert access.role(user) == "operator"
    found = root("get", f"/accounts/{user.pk}").json()
    assert found == made.json()
    assert {name: found[name] for name in ("name", "role", "active", "has_password", "last_sign_in_at")} == {
        "name": "mira",
        "role": "operator",
        "active": True,
        "has_password": False,
        "last_sign_in_at": None,
    }
    changed = root("patch", f"/accounts/{user.pk}", {"role": "viewer", "active": False})
    assert (changed.json()["role"], changed.json()["active"]) == ("viewer", False)
    assert changed["ETag"] == root("get", f"/accounts/{user.pk}")["ETag"]
    assert root("patch", f"/accounts/{user.pk}", {"active": True}).json()["active"]
    entries = AuditEntry.objects.filter(kind="account").order_by("pk").values_list("action", "actor", "source")
    verbs = ("create", "set_role", "deactivate", "activate")
    assert list(entries) == [(f"account.{verb}", "ada", "api") for verb in verbs]


def test_the_list_is_filtered_and_comes_in_pages(root: Call, mira: User) -> None:
    account("noor", "viewer", is_active=False)
    names = [one["name"] for one in root("get", "/accounts").json()["items"]]
    assert names == ["ada", "mira", "noor"]
    assert [one["name"] for one in root("get", "/accounts", name="mira").json()["items"]] == ["mira"]
    assert [one["name"] for one in root("get", "/accounts", active="false").json()["items"]] == ["noor"]
    first = root("get", "/accounts", limit=2).json()
    rest = root("get", "/accounts", limit=2, after=first["next"]).json()
    assert [one["name"] for one in first["items"] + rest["items"]] == names
    assert rest["next"] is None


def test_the_list_asks_the_same_number_of_questions_for_many(root: Call, mira: User) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as captured:
            root("get", "/accounts")
        return len(captured)

    few = questions()
    for n in range(10):
        account(f"user{n}", "operator")
    assert questions() == few


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "ADA"}, "name"),
        ({"name": "x" * 151}, "name"),
        ({"name": "mira", "role": "root"}, "role"),
        ({"name": "mira", "is_superuser": True}, "is_superuser"),
    ],
)
def test_what_cannot_be_added_is_named(root: Call, body: dict[str, Any], field: str) -> None:
    reply = root("post", "/accounts", body)
    assert (reply.status_code, [error["field"] for error in reply.json()["errors"]]) == (422, [field])
    assert User.objects.count() == 1


@pytest.mark.parametrize("body", [{"role": "viewer"}, {"active": False}, {"role": "operator", "active": False}])
def test_the_last_administrator_stays(root: Call, body: dict[str, Any]) -> None:
    ada = User.objects.get(username="ada")
    reply = root("patch", f"/accounts/{ada.pk}", body)
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:specyard:problem:last-administrator")
    assert access.role(User.objects.get(username="ada")) == "admin"
    assert not AuditEntry.objects.filter(kind="account").exists()


def test_a_change_is_done_whole_or_not_at_all(root: Call) -> None:
    """A role takes away what Django's admin gave; it is given before the account is closed, which is refused."""
    User.objects.update(is_superuser=True)
    ada = User.objects.get()
    assert root("patch", f"/accounts/{ada.pk}", {"role": "admin", "active": False}).status_code == 409
    assert User.objects.get().is_superuser
    assert root("patch", f"/accounts/{ada.pk}", {"role": "admin"}).status_code == 200
    assert not User.objects.get().is_superuser


@pytest.mark.django_db(transaction=True)
def test_two_administrators_cannot_remove_each_other_at_once() -> None:
    for turn in range(5):
        two = [account(f"ada-{turn}-{n}", "admin") for n in range(2)]
        calls = [caller(signed_in(user)) for user in two]
        with Pool(2) as pool:
            paths = [f"/accounts/{user.pk}" for user in reversed(two)]
            futures = [
                pool.submit(call, "patch", path, {"role": "viewer"}) for call, path in zip(calls, paths, strict=True)
            ]
        assert {future.result().status_code for future in futures} in ({200, 409}, {200, 403})
        assert User.objects.filter(accounts.IS_ADMIN, is_active=True).count() == 1
        User.objects.all().delete()


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="on SQLite, transactions that write follow one another anyway"
)
@pytest.mark.django_db(transaction=True)
def test_pages_and_programs_do_not_wait_for_each_other(root: Call, mira: User) -> None:
    """A program that waits for a page holds nothing yet that the page is going to need."""
    with Pool(1) as pool:
        with transaction.atomic():
            accounts.lock()
            reply = pool.submit(root, "patch", f"/accounts/{mira.pk}", {"active": False})
            until(lambda: reply.done() or waits_for_a_lock(), what="the program waits")
            User.objects.select_for_update(nowait=True).get(pk=mira.pk)
            accounts.set_role(mira, "viewer")
        assert (reply.result(10).json()["active"], reply.result().json()["role"]) == (False, "viewer")


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_an_account_is_changed_only_as_it_was_read(root: Call, mira: User) -> None:
    old = root("get", f"/accounts/{mira.pk}")
    signed_in(mira)  # is no change
    assert root("patch", f"/accounts/{mira.pk}", {"role": "viewer"}, headers=tag(old)).status_code == 200
    assert root("patch", f"/accounts/{mira.pk}", {"role": "admin"}, headers=tag(old)).status_code == 412
    assert access.role_of_account(User.objects.get(pk=mira.pk)) == "viewer"


def test_who_is_closed_is_out_everywhere(root: Call, mira: User) -> None:
    browser, call = signed_in(mira), program(token_of(mira, "act"))
    assert root("patch", f"/accounts/{mira.pk}", {"active": False}).status_code == 200
    assert call("get", "/account").status_code == 401
    assert browser.get("/api/account").status_code == 401
    reply = root("post", f"/accounts/{mira.pk}/link")
    assert (reply.status_code, reply.json()["current"]) == (409, "closed")


def test_a_link_signs_in_once_and_is_kept_nowhere(root: Call, mira: User) -> None:
    path, key = f"/accounts/{mira.pk}/link", {"Idempotency-Key": "k1"}
    reply = root("post", path, headers=key)
    assert (reply.status_code, reply["Cache-Control"], reply.json()["expires_in"]) == (201, "no-store", 600)
    url = reply.json()["url"]
    assert url.startswith("http://testserver/sign-in/")
    assert root("post", path, headers=key).status_code == 409
    assert KeptAnswer.objects.get().body is None
    browser = Client()
    browser.post(url)
    assert browser.get("/api/account").json()["name"] == "mira"
    again = Client()
    again.post(url)
    assert again.get("/api/account").status_code == 401
    assert url.rpartition("/")[2] not in str(list(AuditEntry.objects.values()))


def test_a_password_is_set_and_told_nowhere(root: Call, mira: User) -> None:
    browser, path = signed_in(mira), f"/accounts/{mira.pk}/password"
    short = root("put", path, {"password": "short"})
    assert (short.status_code, short.json()["errors"][0]["field"]) == (422, "password")
    reply = root("put", path, {"password": GOOD})
    assert (reply.status_code, reply.content) == (204, b"")
    assert User.objects.get(pk=mira.pk).check_password(GOOD)
    assert browser.get("/api/account").status_code == 401
    assert last(action="account.set_password").label == "mira"
    assert GOOD not in str(list(AuditEntry.objects.values()))


def test_who_sets_the_own_password_stays_signed_in(root: Call) -> None:
    ada = User.objects.get(username="ada")
    assert root("put", f"/accounts/{ada.pk}/password", {"password": GOOD}).status_code == 204
    assert root("put", "/account/password", {"old": GOOD, "password": "a third good one 8"}).status_code == 204
    assert root("get", "/account").status_code == 200


def test_a_token_that_sets_a_password_gets_no_session(db: None) -> None:
    ada = account("ada", "admin")
    reply = program(token_of(ada, "admin"))("put", f"/accounts/{ada.pk}/password", {"password": GOOD})
    assert reply.status_code == 204
    assert "sessionid" not in reply.cookies


@pytest.mark.parametrize("scope", ["read", "act"])
def test_a_lesser_token_of_an_administrator_looks_after_nobody(scope: str, mira: User) -> None:
    ada = account("ada", "admin")
    call, path = program(token_of(ada, scope)), f"/accounts/{mira.pk}"
    assert [
        call("get", "/accounts").status_code,
        call("post", "/accounts", {"name": "new", "role": "admin"}).status_code,
        call("patch", path, {"role": "admin"}).status_code,
        call("put", f"{path}/password", {"password": GOOD}).status_code,
        call("post", f"{path}/link").status_code,
        call("get", "/audit/export").status_code,
    ] == [403] * 6
    assert User.objects.count() == 2
    assert User.objects.get(pk=mira.pk).check_password("a first one 1")


@pytest.mark.parametrize("scope", ["read", "act", "admin"])
def test_no_token_becomes_a_password(scope: str, db: None) -> None:
    """Of an account that came by a link the first password asks for no other one."""
    ada = account("ada", "admin")
    reply = program(token_of(ada, scope))("put", "/account/password", {"password": GOOD})
    assert (reply.status_code, "no token" in reply.json()["detail"]) == (403, True)
    assert not User.objects.get(pk=ada.pk).has_usable_password()


def test_the_own_password_is_changed_by_the_one_before(mira: User) -> None:
    call, elsewhere = caller(signed_in(mira)), signed_in(mira)
    wrong = call("put", "/account/password", {"old": "a guess", "password": GOOD})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "old")
    assert call("put", "/account/password", {"old": "a first one 1", "password": GOOD}).status_code == 204
    assert User.objects.get(pk=mira.pk).check_password(GOOD)
    assert call("get", "/account").status_code == 200
    assert elsewhere.get("/api/account").status_code == 401


def test_guesses_of_the_own_password_are_slowed_down(mira: User) -> None:
    call = caller(signed_in(mira))
    replies = [call("put", "/account/password", {"old": "a guess", "password": GOOD}) for _ in range(8)]
    assert (replies[0].status_code, replies[-1].status_code) == (422, 429)
    assert int(replies[-1]["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("role", "scope", "allowed"),
    [("admin", "read", "viewer"), ("admin", "admin", "admin"), ("operator", "act", "operator")],
)
def test_a_program_learns_whose_token_it_has(role: str, scope: str, allowed: str) -> None:
    call = program(token_of(account("noor", role), scope))
    own = call("get", "/account").json()
    assert (own["name"], own["role"], own["allowed"]) == ("noor", role, allowed)


def test_who_loses_the_role_keeps_no_token_for_ever(root: Call) -> None:
    noor = account("noor", "admin")
    token_of(noor, "admin", days=None)
    root("patch", f"/accounts/{noor.pk}", {"role": "viewer"})
    assert ApiToken.objects.get().expires_at is not None


@pytest.mark.parametrize(("form", "kind"), [("csv", "text/csv"), ("ndjson", "application/x-ndjson")])
def test_the_audit_log_is_exported(root: Call, mira: User, form: str, kind: str) -> None:
    root("patch", f"/accounts/{mira.pk}", {"role": "viewer"})
    root("post", "/accounts", {"name": "noor"})
    reply = root("get", "/audit/export", format=form, action="account.set_role")
    assert (reply.status_code, reply["Content-Type"].partition(";")[0]) == (200, kind)
    text = b"".join(reply.streaming_content).decode()
    assert "account.set_role" in text
    assert "account.create" not in text
    entry = last()
    assert (entry.action, entry.source) == ("audit.export", "api")
    assert entry.after == {"format": form, "action": "account.set_role"}


def test_an_export_of_nonsense_is_refused(root: Call) -> None:
    for query in ({"format": "xls"}, {"target": "§"}, {"since": "1"}):
        assert root("get", "/audit/export", **query).status_code == 422
    assert not AuditEntry.objects.filter(action="audit.export").exists()
