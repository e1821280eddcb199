"""The life of one request: carried out by an executor, ended from outside or by its limit, told to the journal."""

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from workers.runner import environment, preparing, worktree
from workers.runner.desk import RequestDesk
from workers.runner.executors import registry, reviewer, validate
from workers.runner.executors.base import Context, Executor, Outcome, Reason, Result
from workers.runner.executors.command import shell
from workers.runner.git import ENVIRONMENT, Git
from workers.runner.journal import Journal
from workers.runner.limits import WallTime
from workers.runner.messages import Answer, Checkpoint, Execute, Prepare, Restore, Review, Tell, Work
from workers.runner.modes import Mode
from workers.runner.output import AttemptLog
from workers.runner.process import Child, Children, send
from workers.runner.temporary import KEPT, remove_tree

log = logging.getLogger("specyard.runner")

# The journal says at most four times a second how far the output is.
OUTPUT_INTERVAL = 0.25
# What changes from chunk to chunk.
OF_A_CHUNK = ("SPECYARD_CHUNK", "SPECYARD_ATTEMPT")
# Seconds that an executor has to come to rest before everything is frozen.
REST_LIMIT = 2.0
MESSAGES = {
    "stop": "Stopped by request.",
    "drain": "Interrupted because its node is shutting down.",
}


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What a request needs of its runner."""

    journal: Journal
    mode: Mode
    children: Children
    directory: Path
    mark: str
    may_run: asyncio.Event  # cleared while the run is paused
    kept: dict[str, Any]  # by executors, from one request to the next
    mailbox: list[Tell]  # what people have said and nobody has been told yet
    spared: set[int]  # processes that outlive a request, with what is below them


class Request:
    """One prepare, execute or review, from its message to its `finished` entry."""

    def __init__(self, message: Work, around: Surroundings) -> None:
        self.id = message.request
        self.message = message
        self.leaves_nothing = True  # in this process: it may carry out another run
        self._around = around
        self._loop = asyncio.get_running_loop()
        self._ending: asyncio.Future[Result] = self._loop.create_future()
        self._wall = WallTime(message.timeout, self._time_is_up)
        self._children: list[Child] = []
        self._tmp = around.directory / "tmp"
        self._findings_file = ""
        self._started = False
        self._paused = False
        self._told = (0, 0)
        self._next_telling = 0.0
        self._telling: asyncio.TimerHandle | None = None
        self._log: AttemptLog | None = None
        self._executor: Executor | None = None
        self._desk = RequestDesk(
            request=message.request,
            kept=around.kept,
            mailbox=around.mailbox,
            spared=around.spared,
            directory=around.directory,
            log=Path(message.log),
            clock=self._wall,
            may_run=around.may_run,
            start=self._start_talking,
            capture=self._capture_here,
            write=self._write,
            journal=partial(around.journal.append, request=message.request, attempt=message.attempt),
        )
        self._tools = preparing.Tools(self._run, self._capture, self._note, self._write)

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
        for child in self._children:
            child.drain()
        if self._log is not None:
            self._tell_output()

    async def perform(self) -> Result:
        """Carry it out to the `finished` entry. Never raises for what a request may contain."""
        try:
            result = await self._supervise()
        except Exception as error:
            log.exception("request %s", self.id)
            self.leaves_nothing = False
            await self._around.mode.kill()
            result = Result(Outcome.FAILED, Reason.INTERNAL_ERROR, f"Internal error: {type(error).__name__}: {error}")
        self._wall.end()
        self._tell_start(None)
        result = self._complete(result)
        await self._remove_temporary_files()
        self._around.journal.append(
            "finished", request=self.id, attempt=self.message.attempt, result=dataclasses.asdict(result)
        )
        return result

    async def _supervise(self) -> Result:
        self._log = AttemptLog(self.message.log, self._output_came)
        self._tmp.mkdir(mode=0o700, exist_ok=True)
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
            return dataclasses.replace(self._ending.result(), exit_code=self._exit_code())
        result = work.result()
        if not self._around.may_run.is_set():
            await self._until_resumed()
        leftovers = await self._around.mode.kill(self._around.spared)
        if leftovers:
            self._log.note(f"{leftovers} left running, ended")
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

    async def _work(self) -> Result:
        message = self.message
        match message:
            case Prepare():
                return await self._prepare(message)
            case Review():
                return await self._review(message)
            case Checkpoint() | Restore():
                return await preparing.keep_or_put_back(message, self._tools)
        assert isinstance(message, Execute)
        return await self._execute(message)

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

    async def _execute(self, message: Execute) -> Result:
        if problems := validate(message.executor, message.params):
            return Result(Outcome.FAILED, Reason.BAD_PARAMS, "; ".join(problems))
        if message.findings:
            self._write_findings(message.findings)
        executor = registry()[message.executor]
        self.leaves_nothing = executor.leaves_nothing
        params = executor.Params.model_validate(message.params)
        self._executor = executor()
        return await self._executor.execute(self._context(message.findings), params)

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
            await worktree.remember_untracked(Git(self._capture, cwd))
            preparing.offer(message, made.facts)
        return made

    def _note(self, text: str) -> None:
        assert self._log is not None
        self._log.note(text)

    def _context(self, findings: str = "", note: str = "", cwd: str = "") -> Context:
        message = self.message
        cwd = cwd or message.cwd
        run = partial(self._run, cwd=cwd, note=note)
        return Context(message.worker, message.attempt, cwd, findings, run, self._desk, message)

    async def _run(self, argv: list[str], *, cwd: str, note: str = "") -> int:
        """Run a command whose output goes to the log."""
        await self._around.may_run.wait()
        assert self._log is not None
        if note:
            self._log.note(note)
        return await asyncio.shield(self._start(argv, cwd, {}, self._log.write).exited)

    async def _capture(self, argv: list[str], cwd: str, env: dict[str, str] = ENVIRONMENT) -> tuple[int, str]:
        """Run one of our own commands and give its exit code and its output. It ends with whoever waits for it."""
        await self._around.may_run.wait()
        output = bytearray()
        child = self._start(argv, cwd, env, output.extend)
        try:
            code = await asyncio.shield(child.exited)
        except asyncio.CancelledError:
            if not child.exited.done():
                send(child.pid, signal.SIGKILL)
            raise
        child.close()
        return code, output.decode(errors="surrogateescape")

    async def _capture_here(self, argv: list[str], env: dict[str, str] | None = None) -> tuple[int, str]:
        return await self._capture(argv, self.message.cwd, {**ENVIRONMENT, **(env or {})})

    async def _start_talking(
        self,
        argv: list[str],
        env: dict[str, str],
        output: Callable[[bytes], None],
        errors: Callable[[bytes], None],
    ) -> Child:
        """Start a process that may outlive this request, its own variables and its temporary files."""
        await self._around.may_run.wait()
        cwd = self.message.cwd
        tmp = self._around.directory / KEPT
        tmp.mkdir(mode=0o700, exist_ok=True)
        lasting = {name: value for name, value in self.message.env.items() if name not in OF_A_CHUNK}
        complete = environment.build({**lasting, **env}, cwd=cwd, tmp=str(tmp), mark=self._around.mark)
        command = self._around.mode.command(argv)
        child = await self._around.children.start_talking(command, cwd=cwd, env=complete, sink=output, errors=errors)
        self._tell_start(child.pid)
        return child

    def _write(self, data: bytes) -> None:
        assert self._log is not None
        self._log.write(data)

    def _start(self, argv: list[str], cwd: str, more: dict[str, str], sink: Callable[[bytes], None]) -> Child:
        env = environment.build(
            {**self.message.env, **more},
            cwd=cwd,
            tmp=str(self._tmp),
            mark=self._around.mark,
            findings_file=self._findings_file,
        )
        child = self._around.children.start(self._around.mode.command(argv), cwd=cwd, env=env, sink=sink)
        self._children.append(child)
        self._tell_start(child.pid)
        return child

    def _write_findings(self, findings: str) -> None:
        path = self._around.directory / "findings.txt"
        path.write_text(findings, encoding="utf-8", errors="replace")
        self._findings_file = str(path)

    def _end(self, result: Result) -> None:
        if not self._ending.done():
            self._ending.set_result(result)

    def _time_is_up(self) -> None:
        limit = f"{self.message.timeout:g}"
        self._end(Result(Outcome.FAILED, Reason.TIME_LIMIT, f"It ran longer than its limit of {limit} s."))

    def _exit_code(self) -> int | None:
        """The exit code of the last process, when it has ended."""
        if self._children and self._children[-1].exited.done():
            return self._children[-1].exited.result()
        return None

    def _tell_start(self, pid: int | None) -> None:
        if not self._started:
            self._started = True
            self._around.journal.append("started", request=self.id, attempt=self.message.attempt, pid=pid)

    def _output_came(self) -> None:
        if self._telling is None:
            self._telling = self._loop.call_at(max(self._next_telling, self._loop.time()), self._tell_output)

    def _tell_output(self) -> None:
        self._telling = None
        self._next_telling = self._loop.time() + OUTPUT_INTERVAL
        assert self._log is not None
        now = (self._log.size, self._log.lines)
        if now == self._told or self._around.journal.is_behind:
            return
        self._told = now
        self._around.journal.append(
            "output", attempt=self.message.attempt, bytes=now[0], lines=now[1], last=self._log.last_line()
        )

    def _complete(self, result: Result) -> Result:
        """Close pipes and log, tell the last of the output, and add counters and findings."""
        for child in self._children:
            child.drain()
            child.close()
        if self._telling is not None:
            self._telling.cancel()
        if self._log is None:
            return result
        if self._log.error:
            result = dataclasses.replace(result, message=f"{result.message} {self._log.error}".strip())
        self._tell_output()
        findings = result.findings or self._log.findings(result.message)
        findings = "" if result.outcome is Outcome.PASSED else findings
        result = dataclasses.replace(result, findings=findings, bytes=self._log.size, lines=self._log.lines)
        self._log.close()
        return result

    async def _remove_temporary_files(self) -> None:
        with contextlib.suppress(OSError):
            if self._findings_file:
                os.unlink(self._findings_file)
        for path in (self._tmp, *self._half_copies()):
            try:
                os.rmdir(path)
            except FileNotFoundError:
                continue
            except OSError:
                await self._loop.run_in_executor(None, remove_tree, path)

    def _half_copies(self) -> list[Path]:
        """What a copy that was interrupted, or failed, leaves beside its target."""
        copied = self.message.copied if isinstance(self.message, Prepare) else None
        return [preparing.half(copied)] if copied else []
