"""Limits of a request. So far: wall time, which stands still while the run is paused."""

import asyncio
from collections.abc import Callable


class WallTime:
    """Calls `expired` once `seconds` have passed, not counting the time between `pause` and `resume`."""

    def __init__(self, seconds: float, expired: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = seconds
        self._expired = expired
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0

    def resume(self) -> None:
        """Let time run. Also starts it."""
        if self._timer is None:
            self._since = self._loop.time()
            self._timer = self._loop.call_later(max(self._left, 0), self._expired)

    def pause(self) -> None:
        """Stop the time. Also ends it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left -= self._loop.time() - self._since
