"""What somebody sends who has no account and speaks HTTP by hand, to a real web server."""

import socket
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psutil

from dashboard.bounded import LARGEST_BODY
from tests.up.support import Up

PATIENCE = 20.0
MUCH = 200_000_000  # bytes
PART = b"x" * 100_000
POST = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{}\r\n\r\n"


def answer(address: str, path: str, header: str, parts: list[bytes]) -> tuple[bytes, int]:
    """The first line of what comes back, and how many bytes were taken before."""
    place, taken = urlsplit(address), 0
    with socket.create_connection((place.hostname, place.port), timeout=PATIENCE) as connection:
        connection.sendall(POST.format(path, header).encode())
        with suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
                taken += len(part)
        with suppress(ConnectionError):
            return connection.recv(1000).partition(b"\r\n")[0], taken
    return b"", taken


def test_a_body_without_end_is_cut_off_and_not_kept(start: Callable[..., Up]) -> None:
    up = start().is_ready()
    web = psutil.Process(up.pid("web"))
    before = web.memory_info().rss
    many = [PART] * (MUCH // len(PART))
    for path in ("/sign-in", "/api/workers"):
        line, taken = answer(up.address, path, f"Content-Length: {MUCH}", many)
        assert line in (b"HTTP/1.1 413 Request Entity Too Large", b"")  # b"": the connection broke while we sent
        assert taken < MUCH / 2
        chunked = [f"{len(PART):x}\r\n".encode() + PART + b"\r\n"] * len(many)
        line, taken = answer(up.address, path, "Transfer-Encoding: chunked", chunked)
        assert line in (b"HTTP/1.1 413 Request Entity Too Large", b"")
        assert taken < MUCH / 2
    assert web.memory_info().rss - before < MUCH / 4
    # Said beforehand, it is refused before any of it is sent; what is a little too long is refused in words.
    line, _ = answer(up.address, "/api/workers", f"Content-Length: {LARGEST_BODY + 1}", [])
    assert line == b"HTTP/1.1 413 Request Entity Too Large"
    line, _ = answer(up.address, "/api/workers", "Content-Length: 4", [b"null"])
    assert line == b"HTTP/1.1 403 Forbidden"


def test_nobody_else_says_where_the_site_begins(start: Callable[..., Up]) -> None:
    """Daphne believes a header. Below another root, Django's admin did not look like itself to the audit log."""
    place = urlsplit(start().is_ready().address)
    for root in ("/x", "/api", "/live"):
        found = [status(place.netloc, path, root) for path in (f"{root}/healthz", f"{root}/admin/login/", "/healthz")]
        assert found == [404, 404, 200], root
    socket_of_a_page = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    socket_of_a_page |= {"Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==", "Origin": f"http://{place.netloc}"}
    assert status(place.netloc, "/live/socket", "/live", **socket_of_a_page) == 403  # and no 500: nobody has signed in


def status(address: str, path: str, root: str, **headers: str) -> int:
    connection = HTTPConnection(address, timeout=PATIENCE)
    connection.request("GET", path, headers={"Daphne-Root-Path": root, **headers})
    try:
        return connection.getresponse().status
    finally:
        connection.close()
