"""Programs that call the API, and a yard with a node."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.pages.conftest import node, operator, viewer

__all__ = ["Call", "call", "node", "operator", "viewer"]
Call = Callable[..., HttpResponse]


@pytest.fixture
def call(operator: Client) -> Call:
    """Calls the API as an operator: `call("get", "/workers/1/changes", chunk=2)`."""

    def calling(method: str, path: str, body: Any = None, **query: Any) -> HttpResponse:
        query = {name: str(value) for name, value in query.items()}
        given = {} if body is None else {"data": body, "content_type": "application/json"}
        return getattr(operator, method)(f"/api{path}", query_params=query, **given)

    return calling
