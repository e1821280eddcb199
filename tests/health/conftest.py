from tests.pages.conftest import admin, node, operator, viewer
from tests.support.driving import background, launcher, owned
from tests.support.valkey import valkey
from tests.support.web import web

__all__ = ["admin", "background", "launcher", "node", "operator", "owned", "valkey", "viewer", "web"]
