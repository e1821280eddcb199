"""Waiting for a sign of life, without counting the time in which there can be none."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum

TICK = 0.25
LOOK_AFTER = 1.0  # seconds of silence after which somebody looks what is the matter


class Silence(Enum):
    """What somebody who looks finds that a silence is."""

    REAL = "real"  # nothing is known of it
    WAITING = "waiting"  # it waits for somebody else: the time does not count
    BROKEN = "broken"  # it has done something that it does not tell of


async def _nothing_known() -> Silence:
    return Silence.REAL


class Patience:
    """Runs out after so many seconds without a sign of life."""

    def __init__(
        self, seconds: float, counts: Callable[[], bool], look: Callable[[], Awaitable[Silence]] = _nothing_known
    ) -> None:
        """`counts` says whether time counts now: not while the run is paused or somebody is asked.

        `look` is asked in the midst of a silence, about once a second, what that is; it may raise.
        """
        self._seconds = seconds
        self._counts = counts
        self._look = look
        self._left = seconds
        self._next_look = seconds - LOOK_AFTER

    def sign_of_life(self) -> None:
        """Begin again."""
        self._left = self._seconds
        self._next_look = self._seconds - LOOK_AFTER

    async def run_out(self) -> None:
        """Return when it has run out. Raises what `look` raises."""
        while self._left > 0:
            step = min(TICK, self._left)
            await asyncio.sleep(step)
            if not self._counts():
                continue
            self._left -= step
            if self._left <= self._next_look:
                silence = await self._look()
                if silence is Silence.BROKEN:
                    self.sign_of_life()
                elif silence is Silence.WAITING:
                    self._left += LOOK_AFTER
                self._next_look = self._left - LOOK_AFTER
