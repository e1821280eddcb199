"""Whether a client takes what it is sent. Daphne writes into a buffer without bounds and says nothing of it.

https://github.com/django/daphne/issues/170: Twisted offers producers, which it pauses while its buffer is full.
"""

import asyncio
from typing import Any


class Flow:
    """Follows the buffer of one HTTP response. Servers other than Daphne wait in `send`."""

    def __init__(self, send: Any) -> None:
        """`send` is what Daphne gave the application: a partial whose argument is Twisted's request."""
        found = next(iter(getattr(send, "args", ())), None)
        self._request = found if hasattr(found, "registerProducer") else None
        self._free = asyncio.Event()
        self._free.set()

    def __enter__(self) -> "Flow":
        if self._request is not None and self._request.channel is not None:
            self._request.registerProducer(self, True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._request is not None and self._request.channel is not None:
            self._request.unregisterProducer()

    async def drained(self, seconds: float) -> bool:
        """Wait until more may be sent. False when the client has taken nothing for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._free.wait()
        except TimeoutError:
            return False
        return True

    def abort(self) -> None:
        """Close the connection and forget what was not sent."""
        if self._request is not None and self._request.transport is not None:
            self._request.transport.abortConnection()

    # What Twisted calls.

    def pauseProducing(self) -> None:
        """The buffer is full."""
        self._free.clear()

    def resumeProducing(self) -> None:
        """The buffer is empty."""
        self._free.set()

    def stopProducing(self) -> None:
        """The connection is gone."""
        self._free.set()
