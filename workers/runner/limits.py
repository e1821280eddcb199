"""Limits of a request. So far: wall time, which stands still while the run is paused or only waits for somebody."""

import asyncio
from collections.abc import Callable


class WallTime:
    """Calls `expired` once `seconds` have passed between `start` and `end`, not counting the time while it is held."""

    def __init__(self, seconds: float, expired: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = seconds
        self._expired = expired
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._holds = 0
        self._runs = False

    def start(self) -> None:
        """Let time run, unless it is held."""
        self._runs = True
        self._adjust()

    def end(self) -> None:
        """Let no time run any more."""
        self._runs = False
        self._adjust()

    def hold(self) -> None:
        """Stop the time until it is let go as often as it was held."""
        self._holds += 1
        self._adjust()

    def let_go(self) -> None:
        self._holds -= 1
        self._adjust()

    def _adjust(self) -> None:
        running = self._runs and self._holds == 0
        if running and self._timer is None:
            self._since = self._loop.time()
            self._timer = self._loop.call_later(max(self._left, 0), self._expired)
        elif not running and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left -= self._loop.time() - self._since
