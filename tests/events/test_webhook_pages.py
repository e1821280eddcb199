"""Webhooks on their page and in the API: for administrators, by the same verbs."""

import json
import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from dashboard.models import AuditEntry, DeliveryResult, Webhook
from dashboard.webhooks import verbs
from specs import encryption
from tests.support import make

pytestmark = pytest.mark.django_db

URL = "https://example.org/hook"


def call(client: Client, method: str, path: str, body: Any = None) -> HttpResponse:
    given = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
    found: HttpResponse = getattr(client, method)(f"/api{path}", **given)
    return found


def made(**facts: Any) -> Webhook:
    return verbs.create(URL, by="ada", **facts)[0]


def last() -> AuditEntry:
    return AuditEntry.objects.order_by("-pk")[0]


def test_a_program_makes_changes_and_deletes_one(admin: Client) -> None:
    project = make.project()
    answer = call(admin, "post", "/webhooks", {"url": URL, "kinds": ["worker_failed"], "project": project.pk})
    assert answer.status_code == 201
    assert "no-store" in answer["Cache-Control"]
    body = answer.json()
    assert body["secret"].startswith("whsec_")
    assert (body["url"], body["kinds"], body["project"]) == (URL, ["worker_failed"], project.pk)
    assert (body["state"], body["created_by"]) == ("working", "ada")
    path = answer["Location"].removeprefix("/api")
    assert "secret" not in call(admin, "get", path).json()
    assert "secret" not in call(admin, "get", "/webhooks").json()["items"][0]
    changed = call(admin, "patch", path, {"active": False, "project": None}).json()
    assert (changed["active"], changed["project"], changed["kinds"]) == (False, None, ["worker_failed"])
    assert (last().action, last().before) == ("webhook.change", {"active": True, "project": project.pk})
    assert call(admin, "patch", path, {"active": True}).json()["state"] == "working"
    assert last().action == "webhook.enable"
    assert call(admin, "delete", path).status_code == 204
    assert call(admin, "get", path).status_code == 404


def test_a_change_that_changes_nothing_is_not_recorded(admin: Client) -> None:
    webhook = made()
    before = last().pk
    assert call(admin, "patch", f"/webhooks/{webhook.pk}", {}).status_code == 200
    assert call(admin, "patch", f"/webhooks/{webhook.pk}", {"url": URL}).status_code == 200
    assert last().pk == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "ftp://example.org"}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"url": URL, "kinds": ["eaten"]}, "kinds.0"),
        ({"url": URL, "project": 4711}, "project"),
        ({"url": URL, "secret": "mine"}, "secret"),
        ({}, "url"),
    ],
)
def test_nonsense_is_refused(body: dict[str, Any], field: str, admin: Client) -> None:
    answer = call(admin, "post", "/webhooks", body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_tests_and_deliveries(admin: Client) -> None:
    webhook = made()
    tried = call(admin, "post", f"/webhooks/{webhook.pk}/test")
    assert (tried.status_code, tried.json()["kind"], tried.json()["status"]) == (202, "test", "waiting")
    listed = call(admin, "get", f"/webhooks/{webhook.pk}/deliveries").json()["items"]
    assert [one["id"] for one in listed] == [tried.json()["id"]]
    webhook.deliveries.update(result=DeliveryResult.DELIVERED, manual=False)
    again = call(admin, "post", f"/webhooks/deliveries/{listed[0]['id']}/redeliver")
    assert (again.status_code, again.json()["status"]) == (202, "waiting")
    assert call(admin, "post", "/webhooks/deliveries/4711/redeliver").status_code == 404


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_nobody_else_sees_or_does_any_of_it(who: str, request: pytest.FixtureRequest) -> None:
    client, webhook = request.getfixturevalue(who), made()
    delivery = verbs.try_out(webhook)
    for method, path in (
        ("get", "/webhooks"),
        ("post", "/webhooks"),
        ("get", f"/webhooks/{webhook.pk}"),
        ("patch", f"/webhooks/{webhook.pk}"),
        ("delete", f"/webhooks/{webhook.pk}"),
        ("post", f"/webhooks/{webhook.pk}/test"),
        ("post", f"/webhooks/{webhook.pk}/rotate"),
        ("get", f"/webhooks/{webhook.pk}/deliveries"),
        ("post", f"/webhooks/deliveries/{delivery.pk}/redeliver"),
    ):
        assert call(client, method, path, {} if method in ("post", "patch") else None).status_code == 403, path
        assert getattr(client, method)(path).status_code in (403, 404, 405), path
    assert Webhook.objects.count() == 1
    assert 'href="/webhooks"' not in client.get("/workers").content.decode()


def test_the_page_makes_one_and_shows_its_secret_once(admin: Client) -> None:
    assert 'href="/webhooks"' in admin.get("/workers").content.decode()
    page = admin.post("/webhooks", {"url": URL, "kinds": ["worker_failed", "worker_completed"], "project": ""})
    assert page.status_code == 200
    secret = re.search(r'value="(whsec_[^"]+)"', page.content.decode())
    assert secret
    assert secret[1] not in admin.get("/webhooks").content.decode()
    assert Webhook.objects.get().kinds == ["worker_completed", "worker_failed"]


def test_every_kind_on_the_page_means_those_to_come_too(admin: Client) -> None:
    page = admin.get("/webhooks").content.decode()
    kinds = re.findall(r'name="kinds" value="(\w+)"( checked)?', page)
    assert [kind for kind, checked in kinds if not checked] == ["worker_progress"]
    admin.post("/webhooks", {"url": URL, "kinds": [kind for kind, _ in kinds]})
    assert Webhook.objects.get().kinds == []


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"url": "x", "kinds": "worker_failed"}, "Address: must begin with http"),
        ({"url": URL}, "Events: choose at least one"),
        ({"url": URL, "kinds": "worker_failed", "project": "4711"}, "Project: is not there any more"),
        ({"url": URL, "kinds": "worker_failed", "project": "²"}, "Project: is not there any more"),
    ],
)
def test_the_page_says_what_is_wrong(form: dict[str, str], says: str, admin: Client) -> None:
    answer = admin.post("/webhooks", form)
    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert f'value="{form["url"]}"' in answer.content.decode()
    assert not Webhook.objects.exists()


def test_the_page_of_one_shows_what_was_sent(admin: Client) -> None:
    webhook = made(kinds=["worker_failed"], project=make.project(name="<b>store"))
    delivery = verbs.try_out(webhook)
    webhook.deliveries.update(
        result=DeliveryResult.GIVEN_UP,
        manual=False,
        attempts=3,
        status_code=500,
        error="answered 500",
        answer="<script>",
    )
    page = admin.get(f"/webhooks/{webhook.pk}").content.decode()
    assert "answered 500" in page
    assert "Given up" in page
    assert "<script>alert" not in page
    assert "<b>store" not in page
    assert 'title="&lt;script&gt;"' in page
    assert admin.post(f"/webhooks/deliveries/{delivery.pk}/redeliver").status_code == 302
    assert webhook.deliveries.get().manual
    assert admin.post(f"/webhooks/{webhook.pk}/test").status_code == 302
    assert webhook.deliveries.count() == 2
    admin.delete(f"/webhooks/{webhook.pk}/active")
    assert "Enable" in admin.get(f"/webhooks/{webhook.pk}").content.decode()
    admin.post(f"/webhooks/{webhook.pk}/delete")
    assert not Webhook.objects.exists()


def test_the_page_replaces_a_secret_and_shows_the_new_one_once(admin: Client) -> None:
    webhook, old = verbs.create(URL, by="ada")
    address = f"/webhooks/{webhook.pk}"
    asking = re.search(rf'<form [^>]*action="{address}/rotate"[^>]*>', admin.get(address).content.decode())
    assert asking
    assert 'hx-confirm="Replace the secret of this webhook?"' in asking[0]
    page = admin.post(f"{address}/rotate")
    assert "no-store" in page["Cache-Control"]
    shown = re.search(r'value="(whsec_[^"]+)"', page.content.decode())
    assert shown
    webhook.refresh_from_db()
    assert encryption.decrypt(webhook.secret).split() == [shown[1], old]
    assert webhook.old_secret_until is not None
    assert webhook.old_secret_until.strftime("%Y-%m-%d %H:%M") in page.content.decode()
    assert "whsec_" not in admin.get(address).content.decode()
    entry = last()
    assert (entry.action, entry.source, entry.actor, entry.target_id) == ("webhook.rotate", "page", "ada", webhook.pk)
    assert shown[1][6:] not in f"{entry.before}{entry.after}"


def test_the_page_says_why_specyard_has_disabled_one(admin: Client) -> None:
    webhook = made()
    Webhook.objects.update(active=False, disabled_why="Nothing has come through for 3 days.")
    assert "Nothing has come through for 3 days." in admin.get(f"/webhooks/{webhook.pk}").content.decode()
