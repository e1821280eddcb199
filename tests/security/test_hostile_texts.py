"""Texts that want to be something else: a program of a page, a formula, a header, a steering of a terminal."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import SuspiciousOperation
from django.test import Client
from django.urls import NoReverseMatch, reverse

from dashboard import audit_log, tokens
from dashboard.models import AuditEntry, WebhookDelivery
from dashboard.pages.urls import urlpatterns
from dashboard.requests import id_for
from dashboard.webhooks import verbs
from queue_app import dispatch
from queue_app.models import Yard
from specs.acting import Target, record
from specs.agents import AgentProfile
from specs.models import Project, Spec
from tests.accounts.test_every_role import operations
from tests.support import make
from workers.models import Attempt, Message, Node, Question, Worker, WorkerChunk

pytestmark = pytest.mark.django_db
LINK = "\x1b]8;;javascript:alert(1)\x1b\\click\x1b]8;;\x1b\\\x1b[31mred\x9b1m"  # OSC 8, colours, an eight-bit CSI
HOSTILE = f"\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{{{7*7}}}}{{% now %}}javascript:alert(1) {LINK}"
TAGS = ("<script>alert", "<img src=x", "\"'><", 'href="javascript:', "{% now %}</option>")


@pytest.fixture
def hostile(admin: Client, node: Node, tmp_path: Path) -> dict[str, Any]:
    """A yard in which every text that somebody can choose is hostile. Written into the rows: checks have holes."""
    spec = make.spec("true", project=make.project(tmp_path))
    worker = make.worker("true", spec=spec)
    claimed = Worker.claim(worker.pk, worker.epoch)
    assert claimed is not None
    question = make.question()
    mine = Question.objects.get(pk=question.pk)
    Yard.current()
    Yard.objects.update(paused=True)
    entry = dispatch.enqueue(make.spec("true"), by="mira")
    webhook, _ = verbs.create("https://example.org/hook")
    delivery = verbs.try_out(webhook)
    profile = make.profile()
    Project.objects.update(directory=f"/{HOSTILE}")
    _fill(Project, "setup_command", "default_branch")
    _fill(Spec, "title", "description", "source_path")
    _fill(AgentProfile, "title", "command", "model", "notes", "install_hint")
    _fill(Worker, "title", "error", "last_line", "attention", "waits_for", "branch", "created_by")
    _fill(WorkerChunk, "title", "instructions")
    _fill(Attempt, "message", "error")
    _fill(Question, "title", "text", "answer", "answered_by")
    _fill(Message, "text", "by")
    _fill(WebhookDelivery, "error", "answer")
    _fill(User, "first_name", "last_name")
    record("worker.tell", Target(1, HOSTILE), after={"text": HOSTILE, HOSTILE: [HOSTILE]})
    tokens.create(User.objects.get(username="ada"), "one", "read")[0]
    return {
        "worker": claimed.pk,
        "attempt": mine.attempt_id,
        "question": question.pk,
        "queue-entry": getattr(entry, "pk", 1),
        "spec": spec.pk,
        "project": spec.project_id,
        "profile": profile.pk,
        "webhook": webhook.pk,
        "delivery": delivery.pk,
        "account": User.objects.get(username="ada").pk,
    }


def _fill(model: Any, *names: str) -> None:
    fields = {field.name: field for field in model._meta.concrete_fields}
    known = {name: HOSTILE[: fields[name].max_length] for name in names if name in fields}
    assert known, model
    model._default_manager.update(**known)


def _paths(rows: dict[str, Any]) -> list[str]:
    found = ["/live/poll?topics=workers", "/audit/audit.csv", "/admin/"]
    for pattern in urlpatterns:
        name = str(pattern.name)
        kind = next((kind for kind in sorted(rows, key=len, reverse=True) if name.startswith(kind)), "worker")
        for arguments in ((), (rows[kind],)):
            try:
                found.append(reverse(name, args=arguments))
            except NoReverseMatch:
                continue
    named = {"workers": "worker", "specs": "spec", "projects": "project", "profiles": "profile", "webhooks": "webhook"}
    for method, path in operations().values():
        if method == "get" and "events" not in path:
            first = path.strip("/").split("/")[0]
            found.append("/api" + path.replace("4711", str(rows[named.get(first, "attempt")])))
    return found


def test_no_text_becomes_a_part_of_a_page(hostile: dict[str, Any], admin: Client) -> None:
    seen = 0
    for path in _paths(hostile):
        reply = admin.get(path)
        if reply.status_code != 200:
            continue
        content = reply.getvalue()
        text, media_type = content.decode(errors="replace"), reply["Content-Type"]
        assert reply["X-Content-Type-Options"] == "nosniff"
        if not media_type.startswith("text/html"):
            assert media_type.split(";")[0] in {
                *("application/json", "application/x-ndjson", "text/csv", "text/plain", "application/octet-stream"),
                "text/x-diff",
            }, (path, media_type)
            continue
        seen += "alert(1)" in text
        assert [tag for tag in TAGS if tag in text] == [], path
    assert seen >= 8  # pages that show some of it


def test_djangos_admin_shows_texts_as_texts(hostile: dict[str, Any], admin: Client) -> None:
    for path in ("specs/project", "specs/spec", "specs/agentprofile", "workers/worker", "dashboard/auditentry"):
        for where in (f"/admin/{path}/", f"/admin/{path}/{AuditEntry.objects.latest('pk').pk}/change/"):
            reply = admin.get(where, follow=True)
            assert [tag for tag in TAGS[:2] if tag in reply.content.decode()] == [], where


# Formulas.


@pytest.mark.parametrize("start", [*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20"])
def test_no_cell_of_an_export_is_a_formula(start: str) -> None:
    record("worker.tell", Target(1, f"{start}cmd|' /C calc'!A0"))
    text = "".join(audit_log.as_csv(AuditEntry.objects.all()))
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert f"'{start}cmd|' /C calc'!A0" in cells
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))]


# Headers.


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=1", "a\nb", "x" * 200, "é", "", "a b", '"'])
def test_a_name_of_a_request_is_given_back_only_when_it_is_one(name: str, rf: Any) -> None:
    assert id_for(rf.get("/", headers={"X-Request-ID": name})) != name


def test_no_text_begins_a_header(client: Client, admin: Client, tmp_path: Path) -> None:
    User.objects.create_user("mira", password="a good one, this")
    for target in (
        "/a\r\nSet-Cookie: x=1",
        "/%0d%0aSet-Cookie:%20x=1",
        "//evil.example",
        "/\\evil.example",
        "https:evil",
    ):
        form = {"username": "mira", "password": "a good one, this", "next": target}
        reply = Client().post("/sign-in", form)
        assert reply.status_code == 302
        assert "\n" not in reply["Location"]
        assert reply["Location"].startswith("/")
        assert not reply["Location"].startswith(("//", "/\\"))
        assert "x" not in reply.cookies
    given = {"name": "one", "scope": "read"}
    made = admin.post(
        "/api/tokens", json.dumps(given), "application/json", headers={"Idempotency-Key": "a\r\nSet-Cookie: x=1"}
    )
    assert made.status_code == 422
    try:
        asked = client.get("/workers\r\nSet-Cookie: x=1")
        assert "\n" not in "".join(asked.headers.values())
    except SuspiciousOperation:
        pass
