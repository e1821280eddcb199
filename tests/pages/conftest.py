"""Somebody who looks, somebody who acts, and a yard with a node."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.test import Client

from dashboard.access import ADMINS, OPERATORS
from queue_app.models import Yard
from tests.support import make
from workers.models import Node, Worker


def _client(name: str, *groups: str) -> Client:
    user = User.objects.create_user(name)
    user.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer(db: None) -> Client:
    """Signed in, no rights."""
    return _client("vic")


@pytest.fixture
def operator(db: None) -> Client:
    """Signed in, member of the operators."""
    return _client("mira", OPERATORS)


@pytest.fixture
def admin(db: None) -> Client:
    """Signed in, member of the administrators."""
    return _client("ada", ADMINS)


@pytest.fixture
def act(operator: Client) -> Callable[..., HttpResponse]:
    """Does what a button does: a request of htmx by an operator."""

    def call(method: str, path: str, data: dict[str, Any] | None = None) -> HttpResponse:
        return getattr(operator, method)(path, data or {}, headers={"HX-Request": "true"})

    return call


@pytest.fixture
def node(db: None) -> Node:
    return make.node()


@pytest.fixture
def full_yard(node: Node) -> Worker:
    """One slot, in use by the worker that is returned."""
    yard = Yard.current()
    yard.limit = 1
    yard.save()
    return make.worker(slot=1)


@pytest.fixture
def running(node: Node) -> Worker:
    """A worker that its node has claimed."""
    accepted = make.worker("true", "true", slot=1)
    claimed = Worker.claim(accepted.pk, accepted.epoch)
    assert claimed is not None
    return claimed
