"""One POST: within its time whatever the receiver does, without redirects, and with little kept of the answer."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from dashboard.webhooks import addresses

KEPT = 1000  # bytes of an answer that are read


class Undelivered(Exception):
    """There was no answer; the message says why."""


@dataclass(frozen=True)
class Answer:
    """What the receiver has answered."""

    status: int
    text: str  # its beginning
    retry_after: int = 0  # seconds; 0 when it does not say

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class _Plain(http.client.HTTPConnection):
    """A connection to an address that was looked at first."""

    targets = addresses.PUBLIC

    def connect(self) -> None:
        self.sock = addresses.connect(self.host, self.port, float(self.timeout or 0), self.targets)


class _Encrypted(_Plain):
    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        super().connect()
        context = ssl.create_default_context()
        # Known as self.sock before anything is awaited, so that `_limited` can end that too.
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock.do_handshake()


def post(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, targets: str) -> Answer:
    """Send the body. Raises Undelivered when there is no answer within so many seconds."""
    parts = urlsplit(url)
    kind = _Encrypted if parts.scheme == "https" else _Plain
    connection = kind(parts.hostname or "", parts.port, timeout=seconds)
    connection.targets = targets
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with _limited(connection, seconds) as is_late:
        try:
            connection.request("POST", path, body, dict(headers))
            response = connection.getresponse()
        except (OSError, http.client.HTTPException, addresses.NotAllowed, UnicodeError) as error:
            late = is_late.is_set() or isinstance(error, TimeoutError)
            raise Undelivered(f"no answer within {seconds:g} s" if late else _words(error)) from error
        if is_late.is_set():  # a head that was cut off in the middle looks like a short one
            raise Undelivered(f"no answer within {seconds:g} s")
        text = b""
        with suppress(OSError, http.client.HTTPException):  # the status has come, which is what counts
            text = response.read(KEPT)
        after = response.getheader("Retry-After", "")
        known = int(after) if after.isascii() and after.isdigit() and len(after) < 9 else 0
        return Answer(response.status, text.decode(errors="replace"), known)


@contextmanager
def _limited(connection: http.client.HTTPConnection, seconds: float) -> Iterator[threading.Event]:
    """Within: after so many seconds the connection breaks, also when something drips in all the time."""
    is_late = threading.Event()

    def cut() -> None:
        is_late.set()
        with suppress(OSError):
            if connection.sock is not None:
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield is_late
    finally:
        timer.cancel()
        connection.close()


def _words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, addresses.NotAllowed) else f"{type(error).__name__}: {text}"


def now() -> int:
    """The time as signatures have it."""
    return int(time.time())
