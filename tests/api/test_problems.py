"""Every refusal of the API has one shape, whoever refuses."""

import json

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from dashboard.api import changes
from dashboard.api.application import api
from tests.api.conftest import Call

pytestmark = pytest.mark.django_db


def is_problem(reply: object, status: int) -> bool:
    content = json.loads(reply.content)
    return (
        reply.status_code == content["status"] == status
        and reply["Content-Type"] == "application/problem+json"
        and content["type"].startswith("urn:specyard:problem:")
        and bool(content["title"] and content["detail"])
    )


def test_nobody_reads_without_an_account(client: Client) -> None:
    for path in ("/api/workers/1/changes", "/api/openapi.json"):
        reply = client.get(path)
        assert is_problem(reply, 401)
        assert reply["WWW-Authenticate"].startswith("Bearer")


def test_an_address_that_does_not_exist(call: Call, client: Client) -> None:
    assert is_problem(call("get", "/nowhere"), 404)
    assert is_problem(call("get", "/workers/1/changes/"), 404)
    assert is_problem(client.get("/api/nowhere"), 404)
    program = Client(enforce_csrf_checks=True)
    assert is_problem(program.post("/api/workers/-1/stop", headers={"Authorization": "Bearer specyard_x"}), 404)


def test_a_method_that_an_address_does_not_know(call: Call) -> None:
    reply = call("put", "/workers/1/merge")
    assert is_problem(reply, 405)
    assert reply["Allow"] == "POST"


def test_a_number_that_no_database_holds_is_not_found(call: Call) -> None:
    for number in ("0", "9223372036854775808", "9" * 60):
        assert is_problem(call("get", f"/workers/{number}/changes"), 404)


def test_a_host_that_is_not_ours(operator: Client) -> None:
    assert is_problem(operator.get("/api/openapi.json", headers={"Host": "evil.example"}), 400)


def test_a_browser_sends_the_token_of_the_page(db: None) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(User.objects.create_superuser("root"))
    assert is_problem(browser.post("/api/workers/4711/merge"), 403)
    browser.get("/workers")
    token = browser.cookies["specyard_csrf"].value
    assert is_problem(browser.post("/api/workers/4711/merge", headers={"X-CSRFToken": token}), 404)


def test_a_database_that_does_not_answer_is_said_with_a_time(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(changes, "_span", gone)
    reply = call("get", "/workers/1/changes")
    assert is_problem(reply, 503)
    assert reply["Retry-After"] == "1"
    assert "closed" not in reply.content.decode()


def test_what_broke_on_our_side_tells_no_secrets(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(changes, "_with_branch", broken)
    operator.raise_request_exception = False
    reply = operator.get("/api/workers/1/changes")
    assert is_problem(reply, 500)
    assert "1234" not in reply.content.decode()


def test_the_pages_keep_their_own_words(operator: Client) -> None:
    assert "text/html" in operator.get("/nowhere")["Content-Type"]


def test_the_document_names_every_operation_once_and_its_refusals() -> None:
    document = api.get_openapi_schema()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    known = document["components"]["responses"]
    for operation in operations:
        assert {400, 401, 403, 429, 503} <= set(operation["responses"])
        references = [found["$ref"] for found in operation["responses"].values() if "$ref" in found]
        assert {reference.rpartition("/")[2] for reference in references} <= set(known)


def test_the_page_of_documentation_is_for_whoever_has_signed_in(viewer: Client, client: Client) -> None:
    page = viewer.get("/api/docs").content.decode()
    assert "/api/openapi.json" in page
    assert "//cdn" not in page
    assert client.get("/api/docs").status_code == 302
