"""When the wall time stands still for a question: while an agent waits for the answer, and does nothing else.

An agent that calls several tools at once goes on with the others while one of them waits for a permission.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

# Seconds without anything else after which an agent is taken to wait: as long as a model may think between two calls.
STILL_AFTER = 30.0
# The same for a tool call that is in progress: longer, as many tools work for a while without a word, but not for ever,
# as some agents never tell of a call's end.
BUSY_FOR = 120.0
# The kind of tools by which an agent has another one work. What such a call is busy with may be the very question.
SUBAGENT = "think"


class Standstill:
    """Holds the clock while questions wait, no other tool call is at work, and nothing else comes."""

    def __init__(self, off_the_clock: Callable[[], AbstractContextManager[None]]) -> None:
        self._off_the_clock = off_the_clock
        self._loop = asyncio.get_running_loop()
        self._asked: list[str] = []  # the calls that questions are about
        self._busy: dict[str, float] = {}  # calls in progress, and until when each counts as being at work
        self._of_subagents: set[str] = set()
        self._runs_until = 0.0  # because something else came
        self._held = ExitStack()
        self._stands = False
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def asking(self, call: str) -> Iterator[None]:
        """Within: a question about this call waits."""
        if not self._asked:
            self._runs_until = 0.0
        self._asked.append(call)
        self._adjust()
        try:
            yield
        finally:
            self._asked.remove(call)
            self._adjust()

    def hear(self) -> None:
        """Something came that no question is about."""
        if self._asked:
            self._runs_until = self._loop.time() + STILL_AFTER
            self._adjust()

    def hear_of(self, call: str, kind: str | None, status: str | None) -> None:
        """A tool call was told of; what is None has not changed."""
        if kind == SUBAGENT:
            self._of_subagents.add(call)
        goes_on = status == "in_progress" or (status is None and call in self._busy)
        if goes_on and call not in self._of_subagents:
            self._busy[call] = self._loop.time() + BUSY_FOR
        else:
            self._busy.pop(call, None)
        if call not in self._asked:
            self.hear()

    def _adjust(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        others = [until for call, until in self._busy.items() if call not in self._asked]
        left = max((self._runs_until, *others)) - self._loop.time()
        if self._asked and left > 0:
            self._timer = self._loop.call_later(left, self._adjust)
        stands = bool(self._asked) and left <= 0
        if stands and not self._stands:
            self._held.enter_context(self._off_the_clock())
        elif self._stands and not stands:
            self._held.close()
        self._stands = stands
