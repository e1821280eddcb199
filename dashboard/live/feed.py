"""From the outbox to the event streams: one reader per web process, started by the first stream.

A stream catches up by itself, page by page, as fast as its client takes them. When it has considered everything that
the reader has, it goes live: from then on the reader gives it what is new. Both happen on the event loop, and the
step from the one to the other has nothing to wait for in it, so no event is lost there and none comes twice. A stream
that does not keep up falls back: nothing is buffered for it, it reads again what it has not sent.
"""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseError

from dashboard.events import AT_ONCE, Told, newest, page_after, told_after
from dashboard.live import bells
from dashboard.live.callers import still_welcome
from dashboard.live.database import DatabaseThread
from dashboard.live.streams import Stream

logger = logging.getLogger(__name__)

LET_IN = 4  # at once; each takes a thread, whose memory stays when all clients come back after a restart
CHECK = 5.0  # seconds between two looks at who may still listen
RETRY = 1.0  # seconds until the database is asked again


class Places:
    """How many streams each account has open in this process. Views take a place in threads of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[int] = Counter()

    def take(self, account: int, most: int) -> bool:
        """Whether there was a place left, which is taken now."""
        with self._lock:
            if self._taken[account] >= most:
                return False
            self._taken[account] += 1
            return True

    def give_back(self, account: int) -> None:
        """One stream less."""
        with self._lock:
            self._taken[account] -= 1
            if not self._taken[account]:
                del self._taken[account]

    @property
    def taken(self) -> int:
        """How many streams there are."""
        with self._lock:
            return sum(self._taken.values())


places = Places()


class Feed:
    """Gives the streams of this process what they want of the outbox."""

    _of_loop: "WeakKeyDictionary[asyncio.AbstractEventLoop, Feed]" = WeakKeyDictionary()

    def __init__(self) -> None:
        self.seq: int | None = None  # what all live streams have got; None while there is none
        self.streams: set[Stream] = set()
        self.door = asyncio.Semaphore(LET_IN)
        self._database = DatabaseThread()
        self._bell = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._checked_at = 0.0

    @classmethod
    def of_this_process(cls) -> "Feed":
        """The feed of the running event loop; a web process has one."""
        loop = asyncio.get_running_loop()
        if loop not in cls._of_loop:
            cls._of_loop[loop] = cls()
        return cls._of_loop[loop]

    async def close(self) -> None:
        """End the tasks and the connection to the database."""
        await bells.end(self._tasks)
        await self._database.close()
        self._of_loop.pop(asyncio.get_running_loop(), None)

    # What streams call.

    def join(self, stream: Stream) -> None:
        """From now on the stream's caller is looked after; it has to `catch_up` before it is given anything."""
        self.streams.add(stream)
        if not self._tasks:
            self._checked_at = _now()
            loops = (bells.hear(self._bell.set), bells.tick(self._bell.set, lambda: self.streams), self._work())
            self._tasks = {asyncio.create_task(loop) for loop in loops}

    def leave(self, stream: Stream) -> None:
        """The stream is over."""
        self.streams.discard(stream)
        if not any(one.is_live for one in self.streams):
            self.seq = None

    async def catch_up(self, stream: Stream) -> list[Told]:
        """The next page of what the stream has missed, nothing while the database gives none.

        It is live once there is no more of it.
        """
        try:
            page = await self._database(page_after, stream.position, stream.wanted)
        except DatabaseError as error:
            logger.warning("The database does not answer, trying again: %s", error)
            await asyncio.sleep(RETRY)
            return []
        stream.position = page.seq
        if page.is_last and (self.seq is None or page.seq >= self.seq):
            self.seq = page.seq if self.seq is None else self.seq
            stream.is_live = True
            self._bell.set()
        return page.events

    # The reader.

    async def _work(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            try:
                await self._look()
                await self._check()
            except DatabaseError as error:
                logger.warning("The database does not answer, trying again: %s", error)
                await asyncio.sleep(RETRY)
            except Exception:
                logger.exception("Reading events for streams failed; they read again what they have missed")
                self._set_back()
                await asyncio.sleep(RETRY)

    async def _look(self) -> None:
        """Give the live streams what is new."""
        since = self.seq
        if since is None:
            return
        with_projects = any(stream.wanted.projects for stream in self.streams)
        found = await self._database(_new, since, with_projects)
        if self.seq != since:  # all have gone, and others have come
            self._bell.set()
        elif found is None:
            self._set_back()
        elif found:
            self._hand_out(found, with_projects)
            if len(found) == AT_ONCE:
                self._bell.set()

    def _hand_out(self, events: list[Told], with_projects: bool) -> None:
        self.seq = events[-1].seq
        for stream in self.streams:
            if stream.is_live:
                stream.offer(events, self.seq, knows_projects=with_projects)

    def _set_back(self) -> None:
        """All streams read for themselves what they have not sent."""
        for stream in self.streams:
            stream.fall_back()
        self.seq = None

    async def _check(self) -> None:
        """End the streams of those who may not listen any more."""
        if _now() - self._checked_at < CHECK:
            return
        self._checked_at = _now()
        asked = list(self.streams)
        welcome = await self._database(still_welcome, {stream.caller for stream in asked})
        for stream in asked:
            if stream.caller not in welcome:
                stream.end()


def _new(since: int, with_projects: bool) -> list[Told] | None:
    """What comes after number `since`: one small query when there is nothing. None when something of it is gone."""
    latest = newest()
    if latest == since:
        return []
    found = told_after(since, with_projects=with_projects) if latest > since else []
    return found if found and _is_whole(since, found) else None


def _is_whole(since: int, events: Iterable[Told]) -> bool:
    return all(told.seq == seq for seq, told in enumerate(events, start=since + 1))


def _now() -> float:
    return asyncio.get_running_loop().time()
