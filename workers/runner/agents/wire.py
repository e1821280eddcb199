"""The way to an agent's process: JSON-RPC messages, one a line, over its standard input and output."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from workers.runner.agents.faults import Fault
from workers.runner.executors.base import Process, Reason

LINE_LIMIT = 16 * 1024 * 1024
# Lines that are no messages: some agents greet. So many in a row are too many.
MOST_STRAY_LINES = 50


class Wire:
    """A transport for the connection of the package `acp`: see its protocol `Transport`."""

    def __init__(self, on_stray: Callable[[bytes], None]) -> None:
        """`on_stray` hears lines that are no messages."""
        self.process: Process | None = None
        self.fault: Fault | None = None
        self._on_stray = on_stray
        self._buffer = bytearray()
        self._strays = 0
        self._messages: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def feed(self, data: bytes) -> None:
        """Take output of the process."""
        if self.fault is not None:
            return
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n") if b"\n" in data else (self._buffer,)
        self._buffer = bytearray(rest)
        for line in lines:
            self._take(bytes(line))
        if len(self._buffer) > LINE_LIMIT:
            self._give_up(f"The agent sent a message of more than {LINE_LIMIT >> 20} MB.")

    def end(self) -> None:
        """The process has ended: nothing will come any more."""
        self._messages.put_nowait(None)

    def _take(self, line: bytes) -> None:
        if not line.strip() or self.fault is not None:
            return
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict) and ("method" in message or "id" in message):
            self._strays = 0
            self._messages.put_nowait(message)
            return
        self._strays += 1
        self._on_stray(line)
        if self._strays > MOST_STRAY_LINES or line.lstrip().startswith(b'{"jsonrpc"'):
            self._give_up("The agent sent what is no message of the Agent Client Protocol.")

    def _give_up(self, why: str) -> None:
        self.fault = Fault(Reason.AGENT_PROTOCOL, why)
        self._buffer.clear()
        self.end()

    async def send(self, message: dict[str, Any]) -> None:
        assert self.process is not None
        self.process.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        return await self._messages.get()

    async def close(self) -> None:
        self.end()
