"""Connections to the web server whose requests are bounded before anybody is known.

Daphne takes a body to its end, however long that is, and holds all of it in memory before Django may look: anybody who
reaches the port could use up the machine. So what is far too long is cut off while it comes.
"""

from http import HTTPStatus
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings

# Django refuses bodies from its own limit on in words; only what is far beyond is cut off without.
LARGEST_BODY = 4 * settings.DATA_UPLOAD_MAX_MEMORY_SIZE  # bytes
TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
REFUSAL = f"HTTP/1.1 {TOO_LARGE.value} {TOO_LARGE.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


class BoundedRequest(WebRequest):  # type: ignore[misc]  # Daphne has no types
    """A request whose connection ends where its body becomes too long, said beforehand or not (chunked)."""

    _length = 0
    _is_cut = False

    def gotLength(self, length: int | None) -> None:
        """The head has come: `length` is what it says of the body; None when it does not say."""
        super().gotLength(length)
        self._check(length or 0)

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body has come."""
        self._length += len(data)
        self._check(self._length)
        if not self._is_cut:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """All of it has come."""
        if not self._is_cut:
            super().requestReceived(command, path, version)

    def _check(self, length: int) -> None:
        if length > LARGEST_BODY and not self._is_cut:
            self._is_cut = True
            self.channel.transport.write(REFUSAL)
            self.channel.loseConnection()


class BoundedFactory(HTTPFactory):  # type: ignore[misc]
    """Makes the connections of a server of Daphne's."""

    def buildProtocol(self, addr: Any) -> Any:
        """One connection."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol
