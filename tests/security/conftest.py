"""People, programs and a running Specyard, for whoever attacks them."""

from collections.abc import AsyncIterator

import pytest_asyncio
from asgiref.sync import sync_to_async
from django.db import connections

from tests.accounts.conftest import ada
from tests.pages.conftest import admin, node, operator, running, viewer
from tests.up.conftest import database_url, environment, start

__all__ = ["ada", "admin", "database_url", "environment", "node", "operator", "running", "start", "viewer"]


@pytest_asyncio.fixture
async def nothing_open() -> AsyncIterator[None]:
    """Whatever the application has connected to the database in a thread of its own is closed at the end."""
    yield
    await sync_to_async(connections.close_all)()
