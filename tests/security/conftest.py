"""People, programs and a running Specyard, for whoever attacks them."""

from tests.accounts.conftest import ada
from tests.pages.conftest import admin, node, operator, running, viewer
from tests.up.conftest import database_url, environment, start

__all__ = ["ada", "admin", "database_url", "environment", "node", "operator", "running", "start", "viewer"]
