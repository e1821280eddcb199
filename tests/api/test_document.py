"""What is said about the API is true: the document, the page about it, and who may do what."""

import json
import re

import pytest
from django.test import Client

from dashboard.api import document
from dashboard.api.application import api
from tests.api.conftest import caller
from tests.api.walking import Operation, operations
from tests.architecture.source import ROOT

PAGE = ROOT / "docs" / "api.md"
EVERY = list(operations())
PROMISED = {
    "GET /api/workers",
    "POST /api/workers",
    "GET /api/workers/{id}",
    "DELETE /api/workers/{id}",
    "POST /api/workers/{id}/pause",
    "POST /api/workers/{id}/resume",
    "GET /api/queue",
    "POST /api/queue",
    "DELETE /api/queue/{id}",
    "POST /api/queue/reorder",
    "GET /api/projects",
    "GET /api/specs",
    "GET /api/specs/{id}/chunks",
    "GET /api/attempts/{id}",
    "GET /api/attempts/{id}/log",
    "GET /api/attempts/{id}/diff",
    "GET /api/nodes",
    "GET /api/statistics",
    "GET /api/accounts",
    "POST /api/accounts",
    "PATCH /api/accounts/{id}",
    "GET /api/tokens",
    "GET /api/audit",
}


def test_the_document_in_the_repository_is_that_of_the_code() -> None:
    told = "Write it anew: .venv/bin/python manage.py api_document"
    assert json.loads(document.FILE.read_text(encoding="utf-8")) == json.loads(document.text()), told


def test_what_was_promised_is_there() -> None:
    assert {str(operation) for operation in EVERY} >= PROMISED


def test_the_table_of_the_page_names_every_operation_once() -> None:
    named = re.findall(r"^\| `([A-Z]+ /api/[^`?]*)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(str(operation) for operation in EVERY)


@pytest.mark.parametrize("operation", EVERY, ids=str)
def test_an_operation_says_what_it_is(operation: Operation) -> None:
    content = operation.content
    assert content["summary"]
    assert content["description"].endswith(".")
    assert content["tags"]
    assert not content["summary"].endswith(".")
    for parameter in content["parameters"]:
        described = parameter.get("description") or parameter["schema"].get("description")
        assert described or parameter["in"] == "path", parameter["name"]


def linked(method: str, path: str, status: int) -> set[str]:
    answers = api.get_openapi_schema()["paths"][path][method]["responses"]
    return set(answers[status].get("links", ()))


def test_what_was_made_or_listed_leads_to_what_can_be_asked_of_it() -> None:
    assert linked("post", "/api/workers", 201) >= {"get_worker", "pause_worker", "delete_worker", "list_worker_chunks"}
    assert linked("post", "/api/workers", 202) == {"get_entry", "update_entry", "delete_entry"}
    assert linked("post", "/api/specs", 201) >= {"get_spec", "delete_spec", "create_worker", "create_entry"}
    assert linked("get", "/api/specs", 200) >= {"get_spec_of_first", "create_worker_of_first"}
    assert not linked("get", "/api/workers/{id}", 200)


def test_every_link_leads_somewhere() -> None:
    known = {operation.name: operation for operation in EVERY}
    for link in api.get_openapi_schema()["components"]["links"].values():
        operation = known[link["operationId"]]
        assert set(link.get("parameters", ())) <= set(re.findall(r"{(\w+)}", operation.path))
        assert "parameters" in link or "requestBody" in operation.content


@pytest.mark.django_db
@pytest.mark.parametrize("operation", EVERY, ids=str)
def test_nobody_does_anything_without_an_account(operation: Operation, client: Client) -> None:
    reply = caller(client)(operation.method, operation.at(), b"{}" if operation.method != "get" else None)
    assert reply.status_code == 401
    assert reply["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
@pytest.mark.parametrize("operation", EVERY, ids=str)
def test_viewers_look_and_change_nothing(operation: Operation, viewer: Client) -> None:
    reply = caller(viewer)(operation.method, operation.at(), b"{}" if operation.method != "get" else None)
    refused = operation.changes or operation.is_for_administrators
    assert (reply.status_code == 403) == refused
    assert reply.status_code < 500


@pytest.mark.django_db
@pytest.mark.parametrize("operation", EVERY, ids=str)
def test_operators_do_all_but_administrate(operation: Operation, operator: Client) -> None:
    reply = caller(operator)(operation.method, operation.at(), b"{}" if operation.method != "get" else None)
    assert (reply.status_code == 403) == operation.is_for_administrators
    assert reply.status_code < 500


@pytest.mark.django_db
@pytest.mark.parametrize("operation", EVERY, ids=str)
def test_administrators_do_all(operation: Operation, admin: Client) -> None:
    reply = caller(admin)(operation.method, operation.at(), b"{}" if operation.method != "get" else None)
    assert reply.status_code not in (401, 403)
    assert reply.status_code < 500


@pytest.mark.parametrize("operation", EVERY, ids=str)
def test_every_answer_that_is_given_is_named(operation: Operation) -> None:
    """Those that are refused, and one at least for what is done."""
    answers = set(operation.content["responses"])
    assert {400, 401, 403, 429, 503} <= answers
    assert answers & {200, 201, 202, 204}
    assert (404 in answers) == ("{id}" in operation.path or operation.name == "reorder_queue")
    assert (413 in answers) == (415 in answers) == ("requestBody" in operation.content)
