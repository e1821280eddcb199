"""The life of one request: carried out by an executor, ended from outside or by its limit, told to the journal."""

import asyncio
import contextlib
import dataclasses
import logging
from functools import partial
from pathlib import Path
from typing import Any

from workers.runner import artifacts, preparing, worktree
from workers.runner.desk import RequestDesk
from workers.runner.executors import registry, reviewer, validate
from workers.runner.executors.base import Context, Executor, Outcome, Reason, Result
from workers.runner.executors.command import shell
from workers.runner.git import Git
from workers.runner.limits import WallTime
from workers.runner.loglines import said_by
from workers.runner.messages import Answer, Checkpoint, Collect, Execute, Prepare, Restore, Review, Work, secrets_of
from workers.runner.starting import Starting
from workers.runner.surroundings import Surroundings
from workers.runner.telling import Telling

log = logging.getLogger("specyard.runner")

# Seconds that an executor has to come to rest before everything is frozen.
REST_LIMIT = 2.0
MESSAGES = {
    "stop": "Stopped by request.",
    "drain": "Interrupted because its node is shutting down.",
}


class Request:
    """One prepare, execute or review, from its message to its `finished` entry."""

    def __init__(self, message: Work, around: Surroundings) -> None:
        self.id = message.request
        self.message = message
        self.leaves_nothing = True  # in this process: it may carry out another run
        self._around = around
        self._ending: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._wall = WallTime(message.timeout, self._time_is_up)
        self._paused = False
        self._executor: Executor | None = None
        around.mask.hide(secrets_of(message))
        self._telling = Telling(message.log, message.attempt, around.journal, around.mask)
        self._starting = Starting(message, around, self._telling)
        self._desk = RequestDesk(
            request=message.request,
            kept=around.kept,
            mailbox=around.mailbox,
            spared=around.spared,
            directory=around.directory,
            log=Path(message.log),
            clock=self._wall,
            may_run=around.may_run,
            start=self._starting.start_talking,
            capture=self._starting.capture_here,
            write=self._telling.write,
            journal=self._tell,
            mask=around.mask,
        )
        self._tools = preparing.Tools(self._starting.run, self._starting.capture, self._telling.note)

    def _tell(self, kind: str, **fields: Any) -> None:
        """Write an entry of its executor into the journal."""
        of_it = {"request": self.id, "attempt": self.message.attempt}
        self._around.journal.append(kind, **of_it, **self._around.mask.fields(fields))

    def interrupt(self, reason: str) -> None:
        """End it from outside. Its result is `interrupted`, unless it had one already."""
        self._end(Result(Outcome.INTERRUPTED, Reason.INTERRUPTED, MESSAGES[reason]))

    def pause(self) -> None:
        """Stop the wall time. Freezing is the mode's business."""
        if not self._paused:
            self._paused = True
            self._wall.hold()

    async def come_to_rest(self) -> None:
        """Let the executor come to a point at which it can be frozen."""
        if self._executor is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._executor.pause(), REST_LIMIT)

    def resume(self) -> None:
        """Let the wall time go on."""
        if self._paused:
            self._paused = False
            self._wall.let_go()

    def answer(self, message: Answer) -> None:
        """Hear a person's answer to a question of its executor."""
        self._desk.answer(message)

    def mail_came(self) -> None:
        """A person has said something; it is in the mailbox."""
        if self._executor is not None:
            self._executor.mail_came()

    @property
    def is_ending(self) -> bool:
        """Whether it was interrupted or ran out of time, and its processes are being ended."""
        return self._ending.done()

    def drain(self) -> None:
        """Take what a frozen tree has left in its pipes, so that nothing is written after `paused`."""
        self._starting.drain()
        self._telling.tell()

    async def perform(self) -> Result:
        """Carry it out to the `finished` entry. Never raises for what a request may contain."""
        try:
            result = await self._supervise()
        except Exception as error:
            log.exception("request %s", self.id)
            self.leaves_nothing = False
            await self._around.mode.kill()
            result = Result(Outcome.FAILED, Reason.INTERNAL_ERROR, f"Internal error: {said_by(error)}")
        self._wall.end()
        self._starting.tell(None)
        self._starting.close()
        result = self._telling.close(self._hidden(result))
        await self._starting.clear_away(self._half_copies())
        self._around.journal.append(
            "finished", request=self.id, attempt=self.message.attempt, result=dataclasses.asdict(result)
        )
        return result

    def _hidden(self, result: Result) -> Result:
        """The result without secrets.

        Facts of our own stay true, but for notes: what leads to a workspace may have a user's name in it, which may be
        a secret, and what was collected had its secrets hidden when it was read.
        """
        mask, facts = self._around.mask, result.facts
        if self._executor is not None:
            facts = mask.fields(facts)
        elif "notes" in facts:
            facts = {**facts, "notes": mask.value(facts["notes"])}
        return dataclasses.replace(
            result, message=mask.text(result.message), findings=mask.text(result.findings), facts=facts
        )

    async def _supervise(self) -> Result:
        self._telling.open()
        self._starting.furnish(self.message.findings if isinstance(self.message, Execute) else "")
        if not self._around.may_run.is_set():
            self.pause()
        self._wall.start()
        work = asyncio.ensure_future(self._work())
        await self._first_of(work)
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=self.message.grace)
            await self._around.mode.end(self.message.grace)
            await asyncio.wait({work}, timeout=self.message.grace)
            if not work.done():
                log.error("the executor of request %s does not end", self.id)
                self.leaves_nothing = False
            return dataclasses.replace(self._ending.result(), exit_code=self._starting.exit_code)
        result = work.result()
        if not self._around.may_run.is_set():
            await self._until_resumed()
        leftovers = await self._around.mode.kill(self._around.spared)
        if leftovers:
            self._telling.note(f"{leftovers} left running, ended")
        return dataclasses.replace(result, leftovers=leftovers)

    async def _until_resumed(self) -> None:
        """Nothing is told while paused. Only an interruption can end this wait early."""
        resumed = asyncio.ensure_future(self._around.may_run.wait())
        await self._first_of(resumed)
        resumed.cancel()

    async def _first_of(self, future: "asyncio.Future[Any]") -> None:
        """Wait until it is done or the request is to end."""
        both: set[asyncio.Future[Any]] = {future, self._ending}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)

    # What is done, by the kind of request

    async def _work(self) -> Result:
        message = self.message
        match message:
            case Prepare():
                return await self._prepare(message)
            case Review():
                return await self._review(message)
            case Checkpoint() | Restore():
                return await preparing.keep_or_put_back(message, self._tools)
            case Collect():
                return await artifacts.collect(message, self._around.mask, self._around.may_run, self._tools.note)
        assert isinstance(message, Execute)
        return await self._execute(message)

    async def _prepare(self, message: Prepare) -> Result:
        made = await preparing.make(message, self._tools)
        if made.outcome is not Outcome.PASSED or made.facts.get("ready"):
            return made
        cwd = made.facts.get("directory", message.cwd)
        if "SPECYARD_WORKSPACE" in message.env:
            message.env["SPECYARD_WORKSPACE"] = cwd
        if message.command:
            context = self._context(note=message.note, cwd=cwd)
            result = await shell(context, message.command, failed=Reason.SETUP_FAILED)
            if result.outcome is not Outcome.PASSED:
                return result
        if made.facts.get("base"):
            await worktree.remember_untracked(Git(self._starting.capture, cwd))
        return made

    async def _execute(self, message: Execute) -> Result:
        if problems := validate(message.executor, message.params):
            return Result(Outcome.FAILED, Reason.BAD_PARAMS, "; ".join(problems))
        executor = registry()[message.executor]
        self.leaves_nothing = executor.leaves_nothing
        params = executor.Params.model_validate(message.params)
        self._executor = executor()
        return await self._executor.execute(self._context(message.findings), params)

    async def _review(self, message: Review) -> Result:
        result = Result(Outcome.PASSED)
        if message.command:
            context = self._context(note="review")
            result = await shell(context, message.command, failed=Reason.REVIEW_FAILED)
        if message.agent is not None and result.outcome is Outcome.PASSED:
            self.leaves_nothing = False
            self._executor = reviewer()
            result = await self._executor.execute(self._context(), message.agent)
        return result

    def _context(self, findings: str = "", note: str = "", cwd: str = "") -> Context:
        message = self.message
        cwd = cwd or message.cwd
        run = partial(self._starting.run, cwd=cwd, note=note)
        return Context(message.worker, message.attempt, cwd, findings, run, self._desk, message)

    def _half_copies(self) -> list[Path]:
        """What a copy that was interrupted, or failed, leaves beside its target."""
        copied = self.message.copied if isinstance(self.message, Prepare) else None
        return [preparing.half(copied)] if copied else []

    # How it ends before its time

    def _time_is_up(self) -> None:
        limit = f"{self.message.timeout:g}"
        self._end(Result(Outcome.FAILED, Reason.TIME_LIMIT, f"It ran longer than its limit of {limit} s."))

    def _end(self, result: Result) -> None:
        if not self._ending.done():
            self._ending.set_result(result)
