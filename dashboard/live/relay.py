"""From the outbox to the open pages: one relay per web process, started by the first page.

Two tasks ring (`bells`), so that a lost bell costs a second. A third does everything else, one turn after another: read
the outbox, mark what changed, draw what is due, hand it out. It alone changes the board.
"""

import asyncio
import logging
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseError

from dashboard.live import bells
from dashboard.live.board import Board, whole
from dashboard.live.database import DatabaseThread
from dashboard.live.drawing import draw
from dashboard.live.outbox import look, reaches_to
from dashboard.live.sessions import still_signed_in
from dashboard.live.sockets import SIGNED_OUT, TRY_AGAIN_LATER, Socket
from dashboard.live.topics import Topic

logger = logging.getLogger(__name__)

BEACON = 10.0  # seconds between two signs of life, and between two looks at who is still signed in
MOST_FILTERS = 20  # different ones at a time; further pages poll
RETRY = 1.0  # seconds until the database is asked again
REST, LONGEST_REST = 2.0, 0.1  # a turn rests twice as long as it took, so that drawing never fills a core


class Relay:
    """Keeps every open page of this process as the database has it."""

    _of_loop: "WeakKeyDictionary[asyncio.AbstractEventLoop, Relay]" = WeakKeyDictionary()

    def __init__(self) -> None:
        self.seq: int | None = None  # how far the outbox has been read; None while no page is open
        self._board = Board()
        self._database = DatabaseThread()
        self._bell = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._beacon_at = 0.0

    @classmethod
    def of_this_process(cls) -> "Relay":
        """The relay of the running event loop; a web process has one."""
        loop = asyncio.get_running_loop()
        if loop not in cls._of_loop:
            cls._of_loop[loop] = cls()
        return cls._of_loop[loop]

    @classmethod
    def all(cls) -> "list[Relay]":
        """Every relay of this process, from whatever thread one asks."""
        return list(cls._of_loop.values())

    # What consumers call.

    @property
    def pages(self) -> int:
        """How many pages are open."""
        return len(self._board.sockets)

    def pages_of(self, account: int) -> int:
        """How many of them are those of an account."""
        return sum(socket.account == account for socket in self._board.sockets)

    def has_room_for(self, topics: frozenset[Topic]) -> bool:
        """Whether a page with these topics may join: what it is filtered by is drawn for it alone."""
        filters = {topic for topic in self._board.topics if topic.filter}
        new = {topic for topic in topics if topic.filter} - filters
        return not new or len(filters | new) <= MOST_FILTERS

    def join(self, socket: Socket) -> None:
        """Give the page its regions whole, and from then on what changes."""
        self._board.sockets.add(socket)
        if not self._tasks:
            loops = (bells.hear(self._bell.set), bells.tick(self._bell.set, lambda: self.pages), self._work())
            self._tasks = {asyncio.create_task(loop) for loop in loops}
        self._bell.set()

    def leave(self, socket: Socket) -> None:
        """The page is closed."""
        self._board.sockets.discard(socket)

    def echo(self, socket: Socket, number: int) -> None:
        """The page has applied the first `number` messages."""
        socket.echo(number, _now())
        if socket.behind and socket.keeps_up:
            self._bell.set()

    def again(self, socket: Socket) -> None:
        """The page wants its regions whole."""
        socket.behind = True
        self._bell.set()

    async def close(self) -> None:
        """End the tasks and the connection to the database."""
        await bells.end(self._tasks)
        await self._database.close()
        self._of_loop.pop(asyncio.get_running_loop(), None)

    # The third task.

    async def _work(self) -> None:
        while True:
            await self._rung()
            began = _now()
            try:
                await self._turn(began)
            except DatabaseError as error:
                logger.warning("The database does not answer, trying again: %s", error)
                await asyncio.sleep(RETRY)
            except Exception:
                logger.exception("A turn of the relay failed; what it had to draw is skipped")
                self._board.give_up()
                await asyncio.sleep(RETRY)
            await asyncio.sleep(min(LONGEST_REST, REST * (_now() - began)))

    async def _rung(self) -> None:
        """Wait until somebody rings, or something that was put off is due."""
        due = self._board.next_time
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - _now())):
                await self._bell.wait()
        except TimeoutError:
            return
        self._bell.clear()

    # One turn.

    async def _turn(self, now: float) -> None:
        if not self.pages:
            self.seq, self._board = None, Board()
            return
        if self.seq is None:
            self.seq, self._beacon_at = await self._database(reaches_to), now
        found = await self._database(look, self.seq)
        self.seq = found.seq
        self._board.mark(found, now)
        if found.more:
            self._bell.set()
        await self._draw(self.seq, now)
        if now - self._beacon_at >= BEACON:
            await self._beat(self.seq, now)
            self._beacon_at = now

    async def _draw(self, seq: int, now: float) -> None:
        due, newcomers = self._board.take_due(now), self._board.newcomers
        regions = due | whole(topic for socket in newcomers for topic in socket.topics)
        if regions:
            drawn = await self._database(draw, regions)
            self._board.hand_out(drawn, due, newcomers, seq, now)

    async def _beat(self, seq: int, now: float) -> None:
        """Send the beacon to those who are still there and still signed in. No database, no beacon."""
        self._board.sockets -= {socket for socket in self._board.sockets if socket.close_code}
        sockets = list(self._board.sockets)
        valid = await self._database(still_signed_in, {socket.session_key for socket in sockets})
        for socket in sockets:
            if socket.session_key not in valid:
                socket.close(SIGNED_OUT)
            elif socket.is_gone(now):
                socket.close(TRY_AGAIN_LATER)
            else:
                socket.beacon(seq, now)
        self._board.forget_old(now)


def _now() -> float:
    return asyncio.get_running_loop().time()
