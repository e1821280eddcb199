"""Programs that call the API, and a yard with a node."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.pages.conftest import admin, full_yard, node, operator, running, viewer

__all__ = ["Call", "admin", "call", "caller", "full_yard", "node", "operator", "running", "viewer"]
Call = Callable[..., HttpResponse]


def caller(client: Client) -> Call:
    """Calls the API: `call("get", "/workers/1/changes", chunk=2)`, `call("post", "/workers", {"spec": 1})`."""

    def calling(
        method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, **query: Any
    ) -> HttpResponse:
        given: dict[str, Any] = {}
        if query:
            given["query_params"] = {name: str(value) for name, value in query.items()}
        if body is not None:
            text = body if isinstance(body, bytes) else json.dumps(body)
            given |= {"data": text, "content_type": "application/json"}
        return getattr(client, method)(f"/api{path}", headers=headers or {}, **given)

    return calling


@pytest.fixture
def call(operator: Client) -> Call:
    """Calls the API as an operator."""
    return caller(operator)
