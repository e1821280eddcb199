"""A client's connection: whole lines in, the journal and replies out, and never a wait for a slow reader."""

import asyncio
import json
import time
from typing import Any, Protocol

from workers.runner.journal import Journal

# A message may be as long as a chunk's text and all secrets that a project and a profile can have; then the system may
# say that they are too many for a process. A client that never ends its line is dropped.
LINE_LIMIT = 32 * 1024 * 1024
# The journal is sent from its file as fast as the client reads; only replies can pile up, and not beyond this.
BUFFER_LIMIT = 1024 * 1024


class Host(Protocol):
    """Who has the connections."""

    def connected(self, client: "Client") -> None: ...

    def disconnected(self, client: "Client") -> None: ...

    def received(self, client: "Client", line: bytes) -> None: ...


class Client(asyncio.Protocol):
    """One connection. `epoch` is None until it has attached."""

    def __init__(self, host: Host, journal: Journal) -> None:
        self._host = host
        self.epoch: int | None = None
        self.connected = time.monotonic()
        self._journal = journal
        self._transport: asyncio.Transport | None = None
        self._incoming = bytearray()
        self._next = -1  # offset in the journal of what this client gets next
        self._held = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._host.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._host.disconnected(self)

    def data_received(self, data: bytes) -> None:
        self._incoming += data
        while self._transport is not None and (end := self._incoming.find(b"\n")) >= 0:
            line = bytes(self._incoming[:end])
            del self._incoming[: end + 1]
            if line.strip():
                self._host.received(self, line)
        if len(self._incoming) > LINE_LIMIT:
            self.send(kind="error", error=f"a line may have {LINE_LIMIT} bytes")
            self.close()

    def pause_writing(self) -> None:
        self._held = True

    def resume_writing(self) -> None:
        self._held = False
        self.pump()

    def send(self, **message: Any) -> None:
        """Reply. A client that sends but does not read is dropped."""
        if self._transport is None:
            return
        self._transport.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        if self._transport.get_write_buffer_size() > BUFFER_LIMIT:
            self._transport.abort()
            self._transport = None

    def follow(self, number: int) -> None:
        """Stream the journal from this entry on."""
        self._next = self._journal.offset_of(number)
        self.pump()

    def pump(self) -> None:
        """Send what the journal has, until the client's buffer is full; `resume_writing` goes on."""
        while self._transport is not None and 0 <= self._next < self._journal.size and not self._held:
            block = self._journal.block(self._next)
            self._next += len(block)
            self._transport.write(block)

    def appended(self, line: bytes, offset: int) -> None:
        """A new entry: sent at once to a client that has all before it; others get it from the file."""
        if self._next == offset and not self._held and self._transport is not None:
            self._next += len(line)
            self._transport.write(line)

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def close(self) -> None:
        """End the connection after what is in its buffer."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
