"""Nobody says where the site begins but us: whoever looks at a path sees the one that is answered."""

import pytest
from channels.testing import HttpCommunicator, WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import connections

from dashboard.asgi import application
from dashboard.models import AuditEntry
from tests.live.conftest import in_database
from tests.support.web import session_cookie

pytestmark = pytest.mark.django_db(transaction=True)
HOST = (b"host", b"localhost")


async def status(method: str, path: str, root: str, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> int:
    """What the whole application answers where a client claims that the site begins at `root`."""
    asked = HttpCommunicator(application, method, path, body=body, headers=[HOST, *headers])
    asked.scope["root_path"] = root  # what Daphne makes of the header `Daphne-Root-Path`
    return int((await asked.get_response(timeout=20))["status"])


@pytest.mark.parametrize("root", ["/x", "/api"])
async def test_djangos_admin_answers_below_no_other_root(root: str) -> None:
    """It did, and nothing that was edited there was in the audit log: it did not look like the admin's address."""
    cookie = await in_database(session_cookie, "mira")
    user = await in_database(User.objects.get, username="mira")
    path, form = (
        f"/admin/auth/user/{user.pk}/change/",
        b"first_name=Mira&last_name=&email=&csrfmiddlewaretoken=" + b"a" * 32,
    )
    headers = [
        (b"cookie", f"specyard_session={cookie}; specyard_csrf={'a' * 32}".encode()),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"origin", b"http://localhost"),
    ]
    assert await status("POST", root + path, root, headers, form) == 404
    assert await in_database(AuditEntry.objects.count) == 0
    assert await status("POST", path, root, headers, form) == 302
    entry = await in_database(AuditEntry.objects.get)
    assert (entry.action, entry.source, entry.after) == ("account.change", "admin", {"first_name": "Mira"})


async def test_a_socket_answers_below_no_other_root() -> None:
    cookie = await in_database(session_cookie, "mira")
    headers = [HOST, (b"origin", b"http://localhost"), (b"cookie", f"specyard_session={cookie}".encode())]
    page = WebsocketCommunicator(application, "/live/socket", headers=headers)
    page.scope["root_path"] = "/live"
    assert (await page.connect())[0]
    await page.disconnect()
    connections.close_all()
