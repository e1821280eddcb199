"""Pause and resume: the executor comes to rest, the tree is frozen, and the journal says so once that is true."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from workers.runner.requests import Request
from workers.runner.surroundings import Surroundings


class Pausing:
    """What a run's owner wishes is in `may_run` at once; what is true follows in the journal."""

    def __init__(
        self,
        around: Surroundings,
        request: Callable[[], Request | None],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """`request` gives the one that runs, `spawn` has something done beside it."""
        self._around = around
        self._request = request
        self._spawn = spawn
        self._freezing: asyncio.Task[None] | None = None

    def pause(self) -> None:
        """Begin to freeze. Does nothing when it is so already."""
        if self._around.may_run.is_set():
            self._around.may_run.clear()
            if (request := self._request()) is not None:
                request.pause()
            self._freezing = self._spawn(self._freeze())

    def resume(self) -> None:
        """Let everything go on. Does nothing when it does already."""
        if not self._around.may_run.is_set():
            if self._freezing is not None:
                self._freezing.cancel()
            self._around.mode.thaw()
            if (request := self._request()) is not None:
                request.resume()
            self._around.may_run.set()
            self._around.journal.append("resumed")

    def wait_for_end(self) -> None:
        """The request is ending: a freeze under way would stop again what ends, and begins anew after that."""
        if self._freezing is not None and not self._freezing.done():
            self._freezing.cancel()
            self._freezing = self._spawn(self._freeze())

    async def _freeze(self) -> None:
        while (request := self._request()) is not None and request.is_ending:
            await asyncio.sleep(0.01)
        if (request := self._request()) is not None:
            await request.come_to_rest()
        await self._around.mode.freeze()
        if (request := self._request()) is not None:
            request.drain()
        self._around.journal.append("paused")
