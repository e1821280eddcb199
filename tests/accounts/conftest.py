"""People with each role, programs with tokens, and what they have done."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.test import Client

from dashboard import tokens
from dashboard.access import ADMINS
from dashboard.models import AuditEntry
from tests.pages.conftest import act, admin, full_yard, node, operator, running, viewer

__all__ = ["act", "admin", "full_yard", "node", "operator", "running", "viewer"]
Program = Callable[..., HttpResponse]


def account(name: str, role: str = "", **fields: Any) -> User:
    """An account with a role, or in no group."""
    user = User.objects.create_user(name, **fields)
    user.groups.set(Group.objects.filter(name=role))
    return user


@pytest.fixture
def ada(db: None) -> User:
    """An administrator."""
    return account("ada-2", ADMINS)


def program(secret: str, client: Client | None = None) -> Program:
    """Calls the API with a token: `call("get", "/tokens")`."""
    using = client or Client(enforce_csrf_checks=True)

    def calling(method: str, path: str, body: Any = None, **query: str) -> HttpResponse:
        given = {} if body is None else {"data": body, "content_type": "application/json"}
        headers = {"Authorization": f"Bearer {secret}"}
        return getattr(using, method)(f"/api{path}", query_params=query, headers=headers, **given)

    return calling


def token_of(user: User, scope: str = "read", **fields: Any) -> str:
    """The secret of a new token."""
    return tokens.create(user, "for a test", scope, **fields)[1]


def last(**fields: Any) -> AuditEntry:
    """The newest entry of the audit log that is so."""
    return AuditEntry.objects.filter(**fields).order_by("-pk")[0]
