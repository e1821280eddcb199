"""The examples of docs/api.md do what the page says."""

import json
import re
import shlex
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from dashboard import tokens
from queue_app import dispatch
from queue_app.models import WorkerQueue
from tests.architecture.source import ROOT
from tests.support import make
from workers.models import Node, Worker
from workers.states import Reason, Wish

pytestmark = pytest.mark.django_db
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = [text.replace("\\\n", " ") for text in re.findall(r"^    (curl (?:.*\\\n)*.*)$", PAGE, re.MULTILINE)]


def sent(example: str, secret: str) -> HttpResponse:
    """Does what curl would do."""
    words = shlex.split(example.replace("$TOKEN", secret).replace("$YARD", ""))[1:]
    headers: dict[str, str] = {}
    method, body, path = "", None, ""
    while words:
        word = words.pop(0)
        if word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-X":
            method = words.pop(0)
        elif word == "-d":
            body = words.pop(0)
        else:
            path = word
    kind = headers.pop("Content-Type", "application/x-www-form-urlencoded")  # as curl has it
    given: dict[str, Any] = {} if body is None else {"data": body, "content_type": kind}
    return Client().generic(method or ("GET" if body is None else "POST"), path, headers=headers, **given)


def example(start: str) -> str:
    """The one that has this in it."""
    (found,) = [text for text in EXAMPLES if start in text]
    return found


@pytest.fixture
def secret(node: Node) -> str:
    """The token of somebody who may act."""
    return tokens.create(User.objects.create_superuser("root"), "of the page", "act")[1]


def test_there_are_no_others() -> None:
    assert len(EXAMPLES) == 11


def test_who_calls(secret: str) -> None:
    reply = sent(example("/api/tokens"), secret)
    assert [item["name"] for item in reply.json()["items"]] == ["of the page"]


def test_sending_again(secret: str) -> None:
    spec = make.spec(id=12)
    first, again = (sent(example("nightly-2026-03-01"), secret) for _ in range(2))
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert Worker.objects.get().spec_id == spec.pk


def test_changing_what_was_read(secret: str) -> None:
    spec = make.spec(id=12)
    tag = Client().get("/api/specs/12", headers={"Authorization": f"Bearer {secret}"})["ETag"]
    change = example("If-Match")
    shown = re.search(r'"[0-9a-f]{32}"', change)
    assert shown
    assert sent(change, secret).status_code == 412
    assert sent(change.replace(shown[0], tag), secret).status_code == 200
    spec.refresh_from_db()
    assert spec.priority == 5


def test_reading_and_steering_workers(secret: str) -> None:
    accepted = make.worker()
    worker = Worker.claim(accepted.pk, accepted.epoch)
    assert worker is not None
    reply = sent(example("status=running"), secret)
    assert [item["id"] for item in reply.json()["items"]] == [worker.pk]
    assert sent(example("/pause").replace("/12/", f"/{worker.pk}/"), secret).status_code == 202
    worker.refresh_from_db()
    assert worker.desired == Wish.PAUSE
    worker.fail(Reason.CHUNK_FAILED, "no")
    assert sent(example("/workers/actions"), secret).json()["done"] == 1


def test_reordering(secret: str) -> None:
    dispatch.pause_queue("mira")
    one, two = (dispatch.enqueue(make.spec(), by="mira").pk for _ in range(2))
    text = example("/queue/reorder").replace("31", str(two)).replace("27", str(one))
    assert sent(text, secret).status_code == 200
    assert list(WorkerQueue.objects.values_list("pk", flat=True)) == [two, one]


def test_writing_a_spec(secret: str) -> None:
    make.project(id=1)
    reply = sent(example('"project": 1'), secret)
    assert (reply.status_code, reply.json()["key"]) == (201, "tidy-up")


def test_looking_after_accounts(secret: str) -> None:
    admins = tokens.create(User.objects.get(), "of an administrator", "admin")[1]
    made = sent(example('"role": "operator"'), admins)
    assert (made.status_code, made.json()["role"]) == (201, "operator")
    link = example("/accounts/2/link").replace("/2/", f"/{made.json()['id']}/")
    assert sent(link, admins).status_code == 201
    assert sent(link, secret).status_code == 403
    exported = sent(example("/audit/export"), admins)
    assert exported["Content-Type"] == "application/x-ndjson"


def test_problems_look_as_they_are_shown(secret: str) -> None:
    shown = [
        json.loads(re.sub(r"\n\s*", " ", text))
        for text in re.findall(r'^    (\{"type".*\n.*\n?.*\})$', PAGE, re.MULTILINE)
    ]
    assert [one["status"] for one in shown] == [422, 409]
    accepted = make.worker()
    assert Worker.claim(accepted.pk, accepted.epoch)
    headers = {"Authorization": f"Bearer {secret}"}
    post = {"data": json.dumps({"spec": 1, "priority": 101}), "content_type": "application/json", "headers": headers}
    assert Client().post("/api/workers", **post).json() == shown[0]
    accepted.request_stop("mira")
    stopping = Client().post(f"/api/workers/{accepted.pk}/pause", headers=headers).json()
    assert stopping == {**shown[1], "detail": shown[1]["detail"].replace("12", str(accepted.pk))}
