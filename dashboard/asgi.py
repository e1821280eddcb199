"""The web process: pages and event streams over HTTP, live fragments over WebSocket."""

import os
from typing import Any

import django
from django.apps import apps
from django.core.handlers.asgi import ASGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
if not apps.ready:
    django.setup()
django_handler = ASGIHandler()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from dashboard.live.routing import websocket_urlpatterns  # noqa: E402
from dashboard.live.sse import EventStreams  # noqa: E402

protocols = ProtocolTypeRouter(
    {
        "http": EventStreams(django_handler),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Every request. Daphne lets whoever asks say where the site begins (`Daphne-Root-Path`), and Django believes it:
    an address would be one thing to whoever looks at its path, and another to whoever answers it."""
    await protocols({**scope, "root_path": ""}, receive, send)
