"""Modes of execution: how an argv becomes processes, and how those are frozen and ended."""

from collections.abc import Collection
from typing import Protocol


class Mode(Protocol):
    """Between an executor's argv and the system. Executors do not know which one they run in."""

    name: str

    def command(self, argv: list[str]) -> list[str]:
        """The argv that is really started."""

    def is_empty(self) -> bool:
        """Whether nothing is left."""

    async def freeze(self) -> None:
        """Return when nothing runs any more. Cancelling it leaves a part frozen: thaw."""

    def thaw(self) -> None:
        """Let everything go on that `freeze` stopped."""

    async def end(self, grace: float) -> int:
        """TERM, CONT, `grace` seconds, KILL until nothing is left; how many there were."""

    async def kill(self, spared: Collection[int] = ()) -> int:
        """KILL until nothing is left but the spared processes and what is below them; how many it killed."""
