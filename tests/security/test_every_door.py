"""Every page, operation, socket and form of the admin: as each role, from a foreign page, by a foreign name."""

from datetime import timedelta

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib import admin as django_admin
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard import tokens
from dashboard.asgi import application
from dashboard.live.sockets import SIGNED_OUT
from dashboard.models import AuditEntry
from tests.accounts.conftest import account, token_of
from tests.accounts.test_every_role import operations
from tests.live.conftest import in_database
from tests.security.doors import NOBODYS, pages
from tests.support import make
from tests.support.valkey import Valkey, valkey

__all__ = ["valkey"]

PAGES, OPERATIONS = pages(), operations()
OPEN = {"sign-in", "sign-in-link", "sign-out", "healthz", "readyz", "metrics"}  # metrics: tests/health
PROBES = {"healthz", "readyz", "metrics"}  # take no method that acts
FOR_ADMINS = ("account-", "accounts", "account", "audit", "webhook")
OWN = {"account-password", "account-tokens"}
SECRETS = {"project-secrets", "profile-secrets", "project-secret", "profile-secret"}  # everybody sees their names
PATIENCE = 10.0  # seconds for a socket to be refused
ACTIONS = [(method, name) for name, (_, methods) in sorted(PAGES.items()) for method in sorted(methods)]
LOOKS = sorted(set(PAGES) - OPEN)


def is_for_admins(name: str) -> bool:
    return name not in OWN and name.startswith(FOR_ADMINS)


def act(client: Client, method: str, name: str, **headers: str) -> HttpResponse:
    return client.generic(method, PAGES[name][0], headers=headers)  # type: ignore[return-value]


@pytest.mark.django_db
def test_nobody_administers_who_is_no_administrator(operator: Client, viewer: Client) -> None:
    make.project(pk=NOBODYS)
    make.profile(pk=NOBODYS)
    before = AuditEntry.objects.count()
    found: dict[tuple[str, str], list[int]] = {}
    for method, name in ACTIONS:
        if is_for_admins(name) or name in SECRETS:
            found[method, name] = [act(client, method, name).status_code for client in (Client(), viewer, operator)]
    assert len(found) > 15
    assert {action: answers for action, answers in found.items() if answers != [302, 403, 403]} == {}
    assert AuditEntry.objects.count() == before


@pytest.mark.django_db
def test_nobody_sees_what_is_for_administrators(operator: Client, viewer: Client) -> None:
    for name in LOOKS:
        path = PAGES[name][0]
        if is_for_admins(name):
            assert {client.get(path).status_code for client in (operator, viewer)} <= {403, 405}, path
        assert Client().get(path).status_code in (302, 405), path


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["", "viewer", "operator"])
def test_djangos_admin_shows_nothing_to_others(role: str) -> None:
    client = Client()
    if role:
        client.force_login(account("somebody", role))
    for model in django_admin.site._registry:
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for each in (path, f"{path}add/", f"{path}1/change/", f"{path}1/delete/"):
            reply = client.get(each, follow=True)
            where = reply.redirect_chain[-1][0] if reply.redirect_chain else ""
            assert reply.status_code == 403 if role else where.startswith("/sign-in"), each


# Pages of others.


@pytest.mark.django_db
def test_no_page_of_another_site_presses_a_button() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(account("ada", "admin"))
    before = AuditEntry.objects.count()
    for method, name in ACTIONS:
        if name not in PROBES:
            for origin in ("https://evil.example", "http://testserver:3000", "null"):
                assert act(client, method, name, Origin=origin).status_code == 403, (method, name)
            assert act(client, method, name).status_code == 403, (method, name)
    assert AuditEntry.objects.count() == before


@pytest.mark.django_db
def test_no_page_of_another_site_calls_the_api() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(account("ada", "admin"))
    before = AuditEntry.objects.count()
    for method, path in OPERATIONS.values():
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "http://testserver:3000"}, {}):
            for media_type in ("application/json", "text/plain"):
                if method != "get":
                    reply = client.generic(method.upper(), f"/api{path}", "{}", media_type, headers=headers)
                    assert reply.status_code == 403, (method, path)
    assert AuditEntry.objects.count() == before


@pytest.mark.django_db
def test_no_answer_lets_another_site_read_it(admin: Client) -> None:
    paths = [path for name, (path, _) in PAGES.items() if name not in PROBES]
    paths += [f"/api{path}" for method, path in OPERATIONS.values() if method == "get"]
    for path in paths:
        reply = admin.get(path, headers={"Origin": "https://evil.example"})
        reply.getvalue()  # a file is closed at its end
        assert not [name for name in reply.headers if name.lower().startswith("access-control")], path
        assert reply["X-Content-Type-Options"] == "nosniff"
        assert "default-src" in reply["Content-Security-Policy"]
        assert reply["X-Frame-Options"] == "DENY" or path.startswith("/artifacts")


# Names of others.


@pytest.mark.django_db
def test_no_door_opens_by_a_name_that_somebody_pointed_to_this_machine(admin: Client) -> None:
    """DNS rebinding: the page of a foreign name then comes from this address, and its requests carry that name."""
    headers = {"Authorization": f"Bearer {token_of(User.objects.get(username='ada'), 'admin')}"}
    paths = [path for path, _ in PAGES.values()] + [f"/api{path}" for _, path in OPERATIONS.values()]
    for path in [*paths, "/api/docs", "/api/openapi.json", "/admin/", "/nowhere"]:
        if path != "/healthz":
            assert admin.get(path, headers={"Host": "evil.example:8420"}).status_code == 400, path
    for path in ("/workers", "/metrics", "/api/workers"):
        for host in ("testserver.evil.example", "127.0.0.1.evil.example", "169.254.169.254", "[::ffff:a9fe:a9fe]", "*"):
            assert admin.get(path, headers={"Host": host, **headers}).status_code == 400, (path, host)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("nothing_open")
@pytest.mark.parametrize("host", [b"evil.example:8420", b"localhost:8420"])
async def test_no_socket_opens_for_such_a_name(host: bytes, valkey: Valkey) -> None:
    user = await in_database(User.objects.create_user, "mira")
    client = Client()
    await in_database(client.force_login, user)
    cookie = f"specyard_session={client.cookies['specyard_session'].value}".encode()
    headers = [(b"host", host), (b"origin", b"http://evil.example:8420"), (b"cookie", cookie)]
    assert not (await WebsocketCommunicator(application, "/live/socket", headers=headers).connect(PATIENCE))[0]


# Sessions and tokens that do not work.


@pytest.mark.django_db
def test_a_session_that_is_over_opens_nothing(admin: Client) -> None:
    key = admin.cookies["specyard_session"].value
    Session.objects.filter(session_key=key).update(expire_date=timezone.now() - timedelta(seconds=1))
    assert admin.get("/workers").status_code == 302
    assert admin.get("/api/workers").status_code == 401
    assert admin.get("/live/poll", headers={"HX-Request": "true"}).status_code == 401


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("nothing_open")
async def test_a_token_opens_no_socket() -> None:
    user = await in_database(account, "mira", "admin")
    _, secret = await in_database(tokens.create, user, "one", "admin")
    headers = [
        (b"host", b"localhost"),
        (b"origin", b"http://localhost"),
        (b"authorization", f"Bearer {secret}".encode()),
    ]
    assert await WebsocketCommunicator(application, "/live/socket", headers=headers).connect(PATIENCE) == (
        False,
        SIGNED_OUT,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["expired", "revoked", "foreign", "closed"])
def test_a_token_that_does_not_work_reads_no_metrics(how: str) -> None:
    user = account("mira", "admin")
    token, secret = tokens.create(user, "one", "admin")
    if how == "expired":
        type(token).objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif how == "revoked":
        tokens.revoke(token)
    elif how == "closed":
        User.objects.update(is_active=False)
    else:
        secret = "specyard_" + "a" * 43
    for path in ("/metrics", "/api/workers/events", "/api/workers"):
        headers = {"Authorization": f"Bearer {secret}"}
        assert Client(REMOTE_ADDR="192.0.2.1").get(path, headers=headers).status_code == 401, path
