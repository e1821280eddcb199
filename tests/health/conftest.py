"""A program on this machine, people, and real servers that may hang."""

import pytest
from django.test import Client

from tests.pages.conftest import admin, node, operator, viewer
from tests.support.driving import background, launcher, owned
from tests.support.valkey import valkey
from tests.support.web import web

__all__ = ["admin", "background", "launcher", "node", "operator", "owned", "valkey", "viewer", "web"]


@pytest.fixture
def local() -> Client:
    """A program on this machine, without an account."""
    return Client(SERVER_NAME="localhost", REMOTE_ADDR="127.0.0.1")
