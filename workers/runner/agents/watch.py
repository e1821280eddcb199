"""Looks what the matter is while an agent is silent, where that can be found out."""

from collections.abc import Callable

from workers.runner.agents.opencode import Opencode, Retry
from workers.runner.agents.patience import Silence


class Watch:
    """Over one turn of a session. `opencode` is None for agents that tell nothing but over the protocol."""

    def __init__(self, opencode: Opencode | None, session: str, on_retry: Callable[[Retry | None], bool]) -> None:
        """`on_retry` hears what the agent waits for, if it does, and says whether its silence counts."""
        self._opencode = opencode
        self._session = session
        self._on_retry = on_retry
        self._signs = ""

    async def look(self) -> Silence:
        """What its silence is. Raises Fault."""
        if self._opencode is None:
            return Silence.REAL
        state = await self._opencode.state(self._session)
        if not self._on_retry(state.retry):
            return Silence.WAITING
        before, self._signs = self._signs, state.signs or self._signs
        return Silence.BROKEN if before and before != self._signs else Silence.REAL
