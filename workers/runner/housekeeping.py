"""What a runner does beside its requests: tasks of its own, the journal onto the disk, and an end when nobody comes."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from workers.runner.clients import Client
from workers.runner.journal import Journal

log = logging.getLogger("specyard.runner")

# Without a client and without work for so many seconds a runner ends: nobody will come for it any more.
IDLE_LIMIT = 600.0
# How long a connection may stay without attaching.
ATTACH_LIMIT = 30.0
# How long clients may take to read to the end.
READ_LIMIT = 1.0
TICK = 1.0
# A finished request is on the disk so many seconds later; at once, it would hold up the next one's entries.
SYNC_DELAY = 0.05


class Housekeeping:
    """Of one run."""

    def __init__(self, journal: Journal, is_busy: Callable[[], bool], nobody_comes: Callable[[], None]) -> None:
        """`is_busy`: whether a request runs. `nobody_comes` is called after long idleness."""
        self.clients: set[Client] = set()
        self.is_tidy = True  # no task has failed
        self._journal = journal
        self._is_busy = is_busy
        self._nobody_comes = nobody_comes
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._syncing: asyncio.TimerHandle | None = None
        self._quiet_since = time.monotonic()

    def begin(self) -> None:
        """Look after everything once a second."""
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have something done that nobody waits for before the end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_is_done)
        return task

    def _task_is_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.is_tidy = False
            log.error("a task of the runner failed", exc_info=error)

    def went_quiet(self) -> None:
        """A client has gone, or a request has ended: idleness may begin now."""
        self._quiet_since = time.monotonic()

    def sync_soon(self) -> None:
        """Have the journal on the disk within SYNC_DELAY."""
        if self._syncing is None:
            self._syncing = asyncio.get_running_loop().call_later(SYNC_DELAY, self._sync)

    def _sync(self) -> None:
        self._syncing = None
        asyncio.get_running_loop().run_in_executor(None, self._journal.sync)

    async def _tick(self) -> None:
        """Journal entries that could not be written, connections and runners that idle."""
        while True:
            await asyncio.sleep(TICK)
            self._journal.flush()
            now = time.monotonic()
            for client in list(self.clients):
                if client.epoch is None and now - client.connected > ATTACH_LIMIT:
                    client.close()
            if not self.clients and not self._is_busy() and now - self._quiet_since > IDLE_LIMIT:
                log.info("nobody has come for %g s", IDLE_LIMIT)
                self._nobody_comes()

    async def end(self) -> None:
        """Wait for what is under way, let every client read to the end, and close the journal."""
        assert self._ticking is not None
        if self._syncing is not None:
            self._syncing.cancel()
        self._ticking.cancel()
        await asyncio.gather(self._ticking, *self._tasks, return_exceptions=True)
        await self._close_clients()
        asyncio.get_running_loop().run_in_executor(None, self._journal.finish)

    async def _close_clients(self) -> None:
        """Wait for none that does not read."""
        end = time.monotonic() + READ_LIMIT
        for client in list(self.clients):
            client.close()
        while self.clients and time.monotonic() < end:
            await asyncio.sleep(0.002)
        for client in list(self.clients):
            client.abort()
