"""Programs that call the API, and a yard with a node."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from tests.pages.conftest import admin, full_yard, node, operator, running, viewer
from workers.models import patience

__all__ = ["Call", "admin", "call", "caller", "full_yard", "node", "operator", "running", "viewer"]
Call = Callable[..., HttpResponse]
Together = Callable[[Callable[[Call, int], HttpResponse]], list[HttpResponse]]
PROGRAMS = 4


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


@pytest.fixture
def together(operator: Client) -> Together:
    """Has PROGRAMS operators ask at the same moment; each is told which one it is."""

    def asking(ask: Callable[[Call, int], HttpResponse]) -> list[HttpResponse]:
        gate = threading.Barrier(PROGRAMS)

        def one(number: int) -> HttpResponse:
            try:
                client = Client()
                client.cookies = operator.cookies
                gate.wait(30)
                with patience(60):
                    return ask(caller(client), number)
            finally:
                connection.close()

        with ThreadPoolExecutor(PROGRAMS) as pool:
            return list(pool.map(one, range(PROGRAMS)))

    return asking


def statuses(replies: list[HttpResponse]) -> list[int]:
    """In order."""
    return sorted(reply.status_code for reply in replies)
