"""Every address that acts leaves an entry in the audit log."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from dashboard.api.application import api
from dashboard.models import AuditEntry
from tests.accounts.recipes import API, EXCEPTIONS, PAGES, Call, World
from tests.support import make

pytestmark = pytest.mark.django_db
ACTING = {"POST", "PUT", "PATCH", "DELETE"}
FOREIGN = {"admin"}  # test_audit.py tests what is edited there


def patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for found in resolver.url_patterns:
        if isinstance(found, URLPattern):
            yield found
        elif found.namespace not in (*FOREIGN, "api"):
            yield from patterns(found)


def methods_of(view: Any) -> set[str]:
    """The methods that act, as the view itself says; POST for a class of Django's."""
    while view is not None:
        if hasattr(view, "methods"):
            return set(view.methods) & ACTING
        if hasattr(view, "view_class"):
            return {"POST"} if hasattr(view.view_class, "post") else set()
        view = getattr(view, "__wrapped__", None)
    return {"POST"}


def pages() -> set[tuple[str, str]]:
    found = patterns(get_resolver("dashboard.urls_with_api"))
    return {(method, str(one.name)) for one in found for method in methods_of(one.callback)}


def operations() -> dict[tuple[str, str], str]:
    """(method, name) and path of everything in the API that acts."""
    return {
        (method, operation.view_func.__name__): prefix.rstrip("/") + path
        for prefix, router in api._routers
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in set(operation.methods) & ACTING
    }


# Answer every method, and change nothing.
READING = {("POST", name) for name in ("healthz", "readyz", "metrics", "api-unknown", "api-docs")}


@pytest.fixture
def world(tmp_path: Path, admin: Client, node: object) -> World:
    return World(tmp_path, User.objects.get(username="ada"))


def test_there_is_a_recipe_for_every_address_that_acts() -> None:
    assert pages() - READING - set(PAGES) - set(EXCEPTIONS) == set(), "say in recipes.py how they act, or why not"
    assert set(operations()) - set(API) - set(EXCEPTIONS) == set(), "say in recipes.py how they act, or why not"
    assert (set(PAGES) - pages()) | (set(API) - set(operations())) == set(), "there are no such addresses any more"
    assert all(EXCEPTIONS.values())


def newest() -> int:
    return AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


@pytest.mark.parametrize("action", sorted(PAGES), ids=" ".join)
def test_a_page_that_acts_is_recorded(action: tuple[str, str], admin: Client, world: World) -> None:
    method, name = action
    call: Call = PAGES[action](world)
    before = newest()
    client = Client() if name in ("sign-in", "sign-in-link") else admin
    reply = getattr(client, method.lower())(reverse(name, args=call.arguments), call.data)
    assert reply.status_code < 400, reply.content.decode()
    check(before, "page", actor="" if name == "sign-in" else "ada")


@pytest.mark.parametrize("action", sorted(API), ids=" ".join)
def test_an_operation_of_the_api_that_acts_is_recorded(action: tuple[str, str], admin: Client, world: World) -> None:
    method, _ = action
    call: Call = API[action](world)
    path = "/api" + operations()[action]
    for argument in call.arguments:
        start, end = path.index("{"), path.index("}") + 1
        path = path[:start] + str(argument) + path[end:]
    before = newest()
    reply = getattr(admin, method.lower())(path, call.data or None, content_type="application/json")
    assert reply.status_code < 400, reply.content.decode()
    check(before, "api", actor="ada")


def check(before: int, source: str, actor: str) -> None:
    made = list(AuditEntry.objects.filter(pk__gt=before))
    assert made, "nothing was recorded"
    assert {(entry.source, entry.actor) for entry in made} == {(source, actor)}
    assert all(entry.kind == entry.action.partition(".")[0] for entry in made)


def test_looking_leaves_no_trace(admin: Client, world: World) -> None:
    worker, before = make.worker("true"), newest()
    paths = ("/workers", "/queue", "/specs", "/projects", "/history", "/audit", "/api/audit", "/api/tokens")
    for path in (*paths, f"/workers/{worker.pk}"):
        assert admin.get(path).status_code == 200
    assert newest() == before


def test_what_was_refused_leaves_no_trace(admin: Client, world: World) -> None:
    worker, before = world.failed(), newest()
    assert admin.post(f"/workers/{worker.pk}/stop").status_code == 409
    assert admin.post("/queue/limit", {"limit": "100000"}).status_code == 400
    assert admin.post("/projects/new", {"name": "/"}).status_code == 422
    assert newest() == before
