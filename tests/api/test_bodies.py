"""Bodies that nobody should have sent: each is refused with a problem, and never breaks anything."""

import json

import pytest
from django.conf import settings
from django.test import Client, RequestFactory

from dashboard.api.bodies import DEEPEST, BodyRefused, StrictParser
from tests.api.conftest import Call
from tests.support import make
from workers.models import Node

pytestmark = pytest.mark.django_db


def is_problem(reply: object, status: int) -> bool:
    return reply.status_code == status and reply["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"\xff\xfe{}",
        b'{"spec": NaN}',
        b'{"spec": Infinity}',
        b'{"spec": -Infinity}',
        b'{"spec": 1e999}',
        b'{"spec": 1, "spec": 2}',
        b'{"spec": ' + b"9" * 10_000 + b"}",
        b"[" * 100_000,
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1),
        b'{"spec": 1} {"spec": 2}',
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
def test_what_is_no_json_is_refused(call: Call, body: bytes) -> None:
    reply = call("post", "/workers", body)
    assert is_problem(reply, 400)
    assert reply.json()["detail"].startswith("The body is not JSON that can be read: ")


@pytest.mark.parametrize("text", ["a\u0000b", "a\ud800b", "\udfff"])
def test_text_that_no_database_holds_is_refused_by_name(call: Call, node: Node, text: str) -> None:
    chunk = {"title": "One", "params": {"run": "true", "deep": [{"er": text}]}}
    body = {"project": make.project().pk, "title": "Tidy", "chunks": [chunk]}
    reply = call("post", "/specs", json.dumps(body).encode())
    assert is_problem(reply, 422)
    assert [error["field"] for error in reply.json()["errors"]] == ["chunks.0.params.deep.0.er"]
    assert is_problem(call("post", "/specs", json.dumps({text: 1}).encode()), 422)


@pytest.mark.parametrize("name", ["q", "key"])
@pytest.mark.parametrize("text", ["a\0b", "x" * 201])
def test_a_query_with_such_text_is_refused_by_name(call: Call, name: str, text: str) -> None:
    reply = call("get", "/specs", **{name: text})
    assert is_problem(reply, 422)
    assert reply.json()["errors"][0]["field"] == name


def test_a_body_that_is_too_large_is_refused(call: Call) -> None:
    body = json.dumps({"spec": 1, "x": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE}).encode()
    assert is_problem(call("post", "/workers", body), 413)


def test_one_that_does_not_say_how_large_it_is_is_refused_too(rf: RequestFactory) -> None:
    request = rf.post("/api/workers", content_type="application/json")
    request._body = b" " * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b"{}"  # as one that came in chunks
    with pytest.raises(BodyRefused) as refused:
        StrictParser().parse_body(request)
    assert refused.value.code == 413


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_only_json_is_read(operator: Client, media_type: str) -> None:
    assert is_problem(operator.post("/api/workers", b'{"spec": 1}', content_type=media_type), 415)


def test_json_with_a_charset_is_json(operator: Client, node: Node) -> None:
    body = json.dumps({"spec": make.spec().pk})
    assert operator.post("/api/workers", body, content_type="application/json; charset=utf-8").status_code == 201


def test_a_body_is_missing(call: Call) -> None:
    assert is_problem(call("post", "/workers", b""), 422)
