"""What the relay knows of one open page, and how much it may have in flight."""

import asyncio
import json
from dataclasses import dataclass, field

from dashboard.live.topics import Region, Topic

ECHO_EVERY = 8  # messages, after which the page is asked to say that it has come so far
MOST_MESSAGES = 64  # sent and not echoed; beyond, the page is drawn anew once it has caught up
MOST_BYTES = 1_000_000
SILENCE = 90.0  # seconds without an asked echo, after which the page is taken for gone

SIGNED_OUT = 4401
TRY_AGAIN_LATER = 1013


@dataclass(eq=False)
class Socket:
    """One open page.

    Nothing is buffered for a page that does not keep up: it is marked `behind`, and gets its regions whole when it
    has echoed what it was sent. A page that does not echo at all is closed with 1013, after which htmx comes back.
    """

    topics: frozenset[Topic]
    session_key: str
    account: int  # whose page it is
    behind: bool = True  # a new page too gets its regions whole
    close_code: int = 0
    asked_at: float | None = None  # since when an echo is overdue
    _sent: int = 0
    _echoed: int = 0
    _asked: int = 0
    _sizes: dict[int, int] = field(default_factory=dict)
    _out: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)

    def shows(self, region: Region) -> bool:
        return any(topic.shows(region) for topic in self.topics)

    @property
    def keeps_up(self) -> bool:
        """Whether something may be sent now."""
        in_flight = self._sent - self._echoed
        return not self.close_code and in_flight < MOST_MESSAGES and sum(self._sizes.values()) < MOST_BYTES

    def give(self, html: str, seq: int, now: float) -> None:
        """Send HTML, or mark the page as behind when too much is in flight."""
        if not self.keeps_up:
            self.behind = True
            return
        self._put(html)
        if self._sent - self._asked >= ECHO_EVERY:
            self.beacon(seq, now)

    def beacon(self, seq: int, now: float) -> None:
        """Say how far the outbox reaches, and ask for an echo of how far the page has come."""
        if self.close_code or self._out.qsize() >= MOST_MESSAGES:
            return
        self._asked = self._sent + 1
        self.asked_at = now if self.asked_at is None else self.asked_at
        self._put(json.dumps({"seq": seq, "echo": self._asked}))

    def echo(self, number: int, now: float) -> None:
        """The page has applied the first `number` messages."""
        if not self._echoed < number <= self._sent:
            return
        for applied in range(self._echoed + 1, number + 1):
            del self._sizes[applied]
        self._echoed = number
        self.asked_at = now if number < self._asked else None

    def is_gone(self, now: float) -> bool:
        """Whether the page has not answered for so long that nobody can be there."""
        return self.asked_at is not None and now - self.asked_at > SILENCE

    def close(self, code: int) -> None:
        """End the connection, after what is on its way."""
        if not self.close_code:
            self.close_code = code
            self._out.put_nowait(None)

    async def next(self) -> str | None:
        """What to send next; None when the connection is to be closed with `close_code`."""
        return await self._out.get()

    def _put(self, text: str) -> None:
        self._sent += 1
        self._sizes[self._sent] = len(text)
        self._out.put_nowait(text)
