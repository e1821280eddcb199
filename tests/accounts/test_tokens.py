"""Tokens: what is kept of them, when they work, and who may make and revoke them."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import accounts, tokens
from dashboard.models import ApiToken, AuditEntry, Failures
from queue_app.errors import BadValue
from tests.accounts.conftest import account, last, program, token_of

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"specyard_[A-Za-z0-9]{43}")


@pytest.fixture
def mira() -> User:
    return account("mira", "operator")


def items(reply: HttpResponse) -> list[dict[str, Any]]:
    """What a list holds."""
    assert reply.status_code == 200
    return reply.json()["items"]  # type: ignore[attr-defined, no-any-return]


def test_a_secret_can_be_recognised_and_is_not_kept(mira: User) -> None:
    token, secret = tokens.create(mira, "Nightly build", "act")
    assert SECRET.fullmatch(secret)
    assert secret.startswith(token.prefix)
    assert secret not in str(list(ApiToken.objects.values())) + str(list(AuditEntry.objects.values()))
    assert len(token.prefix) < len(secret) / 2


def test_a_token_expires_after_90_days_unless_told(mira: User) -> None:
    token, _ = tokens.create(mira, "one", "read")
    assert token.expires_at is not None
    assert timedelta(days=89) < token.expires_at - timezone.now() <= timedelta(days=90)


def refuse(user: User, **given: Any) -> str:
    with pytest.raises(BadValue) as refused:
        tokens.create(user, **{"name": "one", "scope": "read", **given})
    assert not ApiToken.objects.filter(user=user).exists()
    return str(refused.value)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\0b"])
def test_a_name_that_is_none_is_refused(mira: User, name: str) -> None:
    assert refuse(mira, name=name).startswith("name: ")


@pytest.mark.parametrize("scope", ["", "root", "admin"])
def test_a_scope_beyond_the_role_is_refused(mira: User, scope: str) -> None:
    assert refuse(mira, scope=scope) == "scope: must be read or act: not more than you may yourself."


@pytest.mark.parametrize("days", [0, -1, 367, 10**12])
def test_a_span_that_is_none_is_refused(mira: User, days: int) -> None:
    assert refuse(mira, days=days).startswith("expires_in_days: ")


def test_only_administrators_have_tokens_that_last(mira: User, ada: User) -> None:
    assert "administrators" in refuse(mira, days=None)
    assert tokens.create(ada, "for ever", "admin", None)[0].expires_at is None


def spoiled(how: str, user: User) -> str:
    """A secret that does not work."""
    token, secret = tokens.create(user, "one", "read")
    now = timezone.now()
    if how == "expired":
        ApiToken.objects.update(expires_at=now)
    elif how == "revoked":
        tokens.revoke(token)
    elif how == "closed":
        User.objects.filter(pk=user.pk).update(is_active=False)
    return {"foreign": "specyard_" + "a" * 43, "empty": "", "cut": secret[:-1], "text": "ä\udcff" * 9}.get(how, secret)


def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(mira: User) -> None:
    answers = set()
    for how in ("expired", "revoked", "foreign", "empty", "cut", "closed"):
        reply = program(spoiled(how, mira))("get", "/tokens")
        assert reply.status_code == 401
        assert reply["WWW-Authenticate"] == 'Bearer realm="specyard", error="invalid_token"'
        assert reply["Content-Type"] == "application/problem+json"
        answers.add(reply.content)
    assert len(answers) == 1


def test_nobody_without_a_token_is_told_how_to_send_one() -> None:
    reply = Client().get("/api/tokens")
    assert (reply.status_code, reply["WWW-Authenticate"]) == (401, 'Bearer realm="specyard"')


def test_a_bad_token_is_not_saved_by_a_cookie(viewer: Client) -> None:
    assert viewer.get("/api/tokens").status_code == 200
    assert viewer.get("/api/tokens", headers={"Authorization": "Bearer nonsense"}).status_code == 401


def test_a_request_with_both_is_the_tokens(admin: Client, mira: User) -> None:
    call = program(token_of(mira, "read"), admin)
    assert call("get", "/audit").status_code == 403
    assert [token["account"] for token in items(call("get", "/tokens"))] == ["mira"]


def test_a_token_opens_no_pages(mira: User) -> None:
    secret = token_of(mira, "act")
    assert Client().get("/workers", headers={"Authorization": f"Bearer {secret}"}).status_code == 302


def test_forgery_is_looked_for_in_sessions_only(ada: User) -> None:
    body = {"name": "one"}
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    assert browser.post("/api/tokens", body, content_type="application/json").status_code == 403
    assert program(token_of(ada, "admin"))("post", "/tokens", body).status_code == 201


def test_a_token_is_made_used_and_revoked_over_the_api(ada: User) -> None:
    call = program(token_of(ada, "admin"))
    made = call("post", "/tokens", {"name": "Nightly", "scope": "act", "expires_in_days": 7})
    assert made.status_code == 201
    assert SECRET.fullmatch(made.json()["secret"])
    nightly = program(made.json()["secret"])
    [_, listed] = items(nightly("get", "/tokens"))
    assert "secret" not in listed
    assert (listed["name"], listed["scope"], listed["state"]) == ("Nightly", "act", "active")
    for _ in range(2):
        assert call("delete", f"/tokens/{listed['id']}").status_code == 204
    assert nightly("get", "/tokens").status_code == 401
    assert AuditEntry.objects.filter(action="token.revoke").count() == 1


def test_the_secret_is_not_kept_for_who_asks_again(admin: Client) -> None:
    headers, body = {"Idempotency-Key": "one"}, {"name": "one"}
    made = admin.post("/api/tokens", body, content_type="application/json", headers=headers)
    assert made["Cache-Control"] == "no-store"
    again = admin.post("/api/tokens", body, content_type="application/json", headers=headers)
    assert (again.status_code, ApiToken.objects.count()) == (409, 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM dashboard_keptanswer")
        assert made.json()["secret"] not in str(cursor.fetchall())


@pytest.mark.parametrize("scope", ["read", "act"])
def test_a_lesser_token_makes_and_revokes_none(ada: User, scope: str) -> None:
    call = program(token_of(ada, scope))
    assert call("post", "/tokens", {"name": "one"}).status_code == 403
    assert call("delete", f"/tokens/{ApiToken.objects.get().pk}").status_code == 403
    assert ApiToken.objects.filter(revoked_at=None).count() == 1


def test_a_tokens_scope_bounds_what_it_can_make(ada: User) -> None:
    assert tokens.offered("admin", "act") == ("read", "act")
    with pytest.raises(BadValue):
        tokens.create(ada, "one", "admin", most="act")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x", "scope": "root"}, "scope"),
        ({"name": "x", "scope": "admin"}, "scope"),
        ({"name": "x", "expires_in_days": None}, "expires_in_days"),
        ({"name": "x", "expires_in_days": 10**30}, "expires_in_days"),
        ({"name": "x", "more": 1}, "more"),
        ({"name": ""}, "name"),
    ],
)
def test_a_bad_field_is_named(operator: Client, body: dict[str, Any], field: str) -> None:
    reply = operator.post("/api/tokens", body, content_type="application/json")
    assert reply.status_code == 422
    assert [error["field"] for error in reply.json()["errors"]] == [field]
    assert not ApiToken.objects.exists()


def test_people_see_and_revoke_their_own_only(operator: Client, ada: User) -> None:
    token, _ = tokens.create(ada, "hers", "read")
    assert items(operator.get("/api/tokens")) == []
    assert operator.get("/api/tokens?account=ada-2").status_code == 403
    assert operator.delete(f"/api/tokens/{token.pk}").status_code == 404
    assert operator.post(f"/account/tokens/{token.pk}/revoke").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_administrators_see_and_revoke_everybodys(admin: Client, mira: User) -> None:
    token, secret = tokens.create(mira, "his", "read")
    assert [one["name"] for one in items(admin.get("/api/tokens?account=*"))] == ["his"]
    assert [one["name"] for one in items(admin.get("/api/tokens?account=mira"))] == ["his"]
    assert items(admin.get("/api/tokens")) == []
    assert admin.post(f"/account/tokens/{token.pk}/revoke")["Location"] == f"/accounts/{mira.pk}"
    assert program(secret)("get", "/tokens").status_code == 401


def test_the_page_shows_the_secret_once(operator: Client) -> None:
    form = {"name": "Nightly", "scope": "act", "expires_in_days": "30"}
    page = operator.post("/account/tokens", form)
    [secret] = set(SECRET.findall(page.content.decode()))
    assert "no-store" in page["Cache-Control"]
    assert program(secret)("get", "/tokens").status_code == 200
    assert not SECRET.search(operator.get("/account/tokens").content.decode())
    assert "Nightly" in operator.get("/account/tokens").content.decode()


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "scope": "read"},
        {"name": "x", "scope": "admin"},
        {"name": "x", "expires_in_days": "many"},
        {"name": "x", "expires_in_days": "0"},
    ],
)
def test_the_page_names_what_is_wrong(operator: Client, form: dict[str, str]) -> None:
    reply = operator.post("/account/tokens", form)
    assert reply.status_code == 400
    assert "field-error" in reply.content.decode()
    assert not ApiToken.objects.exists()


def test_viewers_have_tokens_to_read(viewer: Client) -> None:
    assert viewer.post("/account/tokens", {"name": "x", "scope": "read", "expires_in_days": "7"}).status_code == 200
    assert ApiToken.objects.get().scope == "read"


def test_when_it_was_used_is_written_after_the_reply_and_at_most_once_a_minute(mira: User) -> None:
    call = program(token_of(mira))
    call("get", "/tokens")
    used = ApiToken.objects.get().last_used_at
    assert used is not None
    with CaptureQueriesContext(connection) as captured:
        call("get", "/tokens")
    assert not [query for query in captured if query["sql"].startswith(("UPDATE", "INSERT"))]
    ApiToken.objects.update(last_used_at=used - timedelta(minutes=2))
    call("get", "/tokens")
    assert ApiToken.objects.get().last_used_at >= used


def test_a_busy_database_does_not_fail_who_uses_a_token(mira: User, monkeypatch: pytest.MonkeyPatch) -> None:
    call = program(token_of(mira))

    def busy(*_: object, **__: object) -> None:
        raise tokens.DatabaseError("database is locked")

    monkeypatch.setattr("django.db.models.query.QuerySet.update", busy)
    assert call("get", "/tokens").status_code == 200


def test_bad_tokens_are_slowed_down_and_good_ones_never(mira: User) -> None:
    good, bad = program(token_of(mira)), program("specyard_guess")
    statuses = [bad("get", "/tokens").status_code for _ in range(30)]
    assert statuses[:21] == [401] * 21
    assert 429 in statuses
    slowed = bad("get", "/tokens")
    assert slowed.status_code == 429
    assert 1 <= int(slowed["Retry-After"]) <= 900
    assert good("get", "/tokens").status_code == 200
    assert AuditEntry.objects.filter(action="token.refuse").count() < 30
    assert Failures.objects.count() == 1


def test_who_had_the_token_that_was_refused_is_recorded(mira: User) -> None:
    program(spoiled("revoked", mira))("get", "/tokens")
    entry = last(action="token.refuse")
    assert entry.after == {"state": "revoked", "account": "mira", "address": "127.0.0.1"}


def test_closing_an_account_revokes_its_tokens_for_good(mira: User) -> None:
    call = program(token_of(mira))
    accounts.deactivate(mira)
    accounts.activate(mira)
    assert call("get", "/tokens").status_code == 401


def test_what_a_token_does_is_recorded_with_its_first_letters(mira: User) -> None:
    token, secret = tokens.create(mira, "one", "act")
    reply = program(secret, Client())("post", "/workers/4711/merge")
    assert reply.status_code == 404
    admins = account("root", "admin")
    token, secret = tokens.create(admins, "two", "admin")
    program(secret)("post", "/tokens", {"name": "made by two"})
    entry = last(action="token.create")
    assert (entry.actor, entry.source, entry.token) == ("root", "api", token.prefix)
