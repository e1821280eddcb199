"""The command line on the tests' own database."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard import config, tokens
from dashboard.models import Scope
from tests.cli.support import InProcess, Specyard
from tests.support import make, yard
from tests.support.valkey import valkey
from tests.support.web import Web, web
from tests.up.conftest import database_url, environment, start
from workers.models import Node

__all__ = ["database_url", "environment", "start", "valkey", "web"]


@pytest.fixture
def specyard(transactional_db: None) -> Specyard:
    """The commands on the tests' database, with no service running."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return Specyard({**kept, "DATABASE_URL": yard.database_url(), "PYTHONPATH": os.getcwd()})


@pytest.fixture
def command(specyard: Specyard, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """The same, called in this process."""
    monkeypatch.setenv("DATABASE_URL", specyard.environment["DATABASE_URL"])
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    config.loading.loaded.cache_clear()
    yield InProcess(specyard.environment)
    config.loading.loaded.cache_clear()


@pytest.fixture
def node(transactional_db: None) -> Node:
    """A node that has just been heard of."""
    return make.node()


def token_for(username: str = "boss", scope: Scope = Scope.ADMIN, *, staff: bool = True, **fields: Any) -> str:
    """The secret of a new token."""
    user, _ = User.objects.get_or_create(username=username, defaults={"is_staff": staff})
    token, secret = tokens.create(user, "cli", scope)
    if fields:
        type(token).objects.filter(pk=token.pk).update(**fields)
    return secret


@pytest.fixture
def remote(specyard: Specyard, web: Web) -> Specyard:
    """The commands on a server, with the token of an administrator. Its database they do not know."""
    kept = {name: value for name, value in specyard.environment.items() if name != "DATABASE_URL"}
    kept |= {"SPECYARD_DATA_DIR": "/nowhere", "SPECYARD_SERVER": web.url, "SPECYARD_TOKEN": token_for()}
    return Specyard(kept)
