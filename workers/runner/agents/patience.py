"""Waiting for a sign of life, without counting the time in which there can be none."""

import asyncio
from collections.abc import Callable

TICK = 0.25


class Patience:
    """Runs out after so many seconds without a sign of life."""

    def __init__(self, seconds: float, counts: Callable[[], bool]) -> None:
        """`counts` says whether time counts now: not while the run is paused or somebody is asked."""
        self._seconds = seconds
        self._counts = counts
        self._left = seconds

    def sign_of_life(self) -> None:
        self._left = self._seconds

    async def run_out(self) -> None:
        """Return when it has run out."""
        while self._left > 0:
            step = min(TICK, self._left)
            await asyncio.sleep(step)
            if self._counts():
                self._left -= step
