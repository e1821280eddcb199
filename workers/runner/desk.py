"""What a request lends to an executor that does more than run commands: see `executors.base.Desk`."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from workers.runner.executors.base import Process
from workers.runner.masking import Mask
from workers.runner.messages import Answer, Tell


class Clock(Protocol):
    """The wall time of a request, as far as a desk moves it."""

    def hold(self) -> None: ...

    def let_go(self) -> None: ...


class Start(Protocol):
    """Starts a process with input."""

    async def __call__(
        self,
        argv: list[str],
        env: dict[str, str],
        output: Callable[[bytes], None],
        errors: Callable[[bytes], None],
    ) -> Process: ...


class Capture(Protocol):
    """Runs a command for its exit code and its output."""

    async def __call__(self, argv: list[str], env: dict[str, str] | None = None) -> tuple[int, str]: ...


class RequestDesk:
    """The desk of one request. Questions are numbered by it and answered once."""

    def __init__(
        self,
        *,
        request: str,
        kept: dict[str, Any],
        mailbox: list[Tell],
        spared: set[int],
        directory: Path,
        log: Path,
        clock: Clock,
        may_run: asyncio.Event,
        start: Start,
        capture: Capture,
        write: Callable[[bytes], None],
        journal: Callable[..., Any],
        mask: Mask,
    ) -> None:
        self.kept = kept
        self.mailbox = mailbox
        self.directory = directory
        self.log = log
        self.start = start
        self.capture = capture
        self.write = write
        self.journal = journal
        self.mask = mask
        self.spared = spared
        self._request = request
        self._clock = clock
        self._may_run = may_run
        self._asked = 0
        self._questions: dict[str, asyncio.Future[Answer]] = {}

    def keep(self, process: Process) -> None:
        if not process.exited.done() and process.pid not in self.spared:
            self.spared.add(process.pid)
            process.exited.add_done_callback(lambda _: self.spared.discard(process.pid))

    def is_running(self) -> bool:
        return self._may_run.is_set()

    async def until_running(self) -> None:
        await self._may_run.wait()

    @contextmanager
    def off_the_clock(self) -> Iterator[None]:
        """Within: the wall time of the request stands still."""
        self._clock.hold()
        try:
            yield
        finally:
            self._clock.let_go()

    def new_question(self) -> str:
        """A name for the next question."""
        self._asked += 1
        return f"{self._request}#{self._asked}"

    async def ask(self, key: str, *, on_the_clock: bool = False, **question: Any) -> Answer:
        """Put a question to a person and wait; that it is over is journalled however it ends."""
        answered = self._questions[key] = asyncio.get_running_loop().create_future()
        self.journal("asked", question=key, **question)
        gone: dict[str, Any] = {"option": "", "text": "", "by": "gone"}
        try:
            with nullcontext() if on_the_clock else self.off_the_clock():
                answer: Answer = await answered
            gone = {"option": answer.option, "text": answer.text, "by": "person"}
            return answer
        finally:
            del self._questions[key]
            self.journal("answered", question=key, **gone)

    def answer(self, answer: Answer) -> None:
        """Pass a person's answer on. One to a question that is over, or was never asked, is nobody's."""
        waiting = self._questions.get(answer.question)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
