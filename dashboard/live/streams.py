"""One event stream: what its client wants, how far it has come, and what waits for it."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from dashboard.events import Told, Wanted
from dashboard.live.callers import Caller

MOST_WAITING = 500  # events; a stream that has more to send falls back


@dataclass(eq=False)
class Stream:
    """One client.

    `position` is the number up to which every event was sent, or is not wanted. While the stream is live, `_waiting`
    holds what comes after that.
    """

    caller: Caller
    wanted: Wanted
    position: int
    is_live: bool = False
    is_over: bool = False
    _reaches: int = 0  # up to which number a live stream was offered everything
    _waiting: list[Told] = field(default_factory=list)
    _bell: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, events: Iterable[Told], seq: int, *, knows_projects: bool) -> None:
        """Take what is wanted of what is new, up to number `seq`; fall back when it would be too much."""
        if self.wanted.projects and not knows_projects:  # it came while they were read
            self.fall_back()
            return
        self._waiting += [told for told in events if told.seq > self.position and self.wanted.includes(told)]
        self._reaches = seq
        if len(self._waiting) > MOST_WAITING:
            self.fall_back()
        elif self._waiting:
            self._bell.set()

    def fall_back(self) -> None:
        """Read again what was not sent, instead of waiting for it here."""
        self.is_live, self._waiting, self._reaches = False, [], 0
        self._bell.set()

    def end(self) -> None:
        """Close it."""
        self.is_over = True
        self._bell.set()

    async def news(self, seconds: float) -> list[Told]:
        """What waits, once something does; nothing after so many seconds, when it ends, and when it has fallen back."""
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()
        found, self._waiting = self._waiting, []
        if self.is_live:
            self.position = max(self.position, self._reaches)
        return found
