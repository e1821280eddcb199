"""The processes of one request: each is started with the variables and the temporary directory that it is to have."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

from workers.runner import environment
from workers.runner.git import ENVIRONMENT
from workers.runner.messages import Work
from workers.runner.process import Child, send
from workers.runner.surroundings import Surroundings
from workers.runner.telling import Telling
from workers.runner.temporary import KEPT, remove_tree

# What changes from chunk to chunk.
OF_A_CHUNK = ("SPECYARD_CHUNK", "SPECYARD_ATTEMPT")


class Starting:
    """Starts what a request needs, while the run is not paused, and knows it until the end."""

    def __init__(self, message: Work, around: Surroundings, telling: Telling) -> None:
        self._message = message
        self._around = around
        self._telling = telling
        self._children: list[Child] = []
        self._tmp = around.directory / "tmp"
        self._findings_file = ""
        self._is_told = False

    def furnish(self, findings: str) -> None:
        """Make what the processes find: a directory for temporary files and, where there are any, findings."""
        self._tmp.mkdir(mode=0o700, exist_ok=True)
        if findings:
            path = self._around.directory / "findings.txt"
            path.write_text(findings, encoding="utf-8", errors="replace")
            self._findings_file = str(path)

    async def run(self, argv: list[str], *, cwd: str, note: str = "") -> int:
        """Run a command whose output goes to the log; its exit code. Raises OSError or ValueError."""
        await self._around.may_run.wait()
        if note:
            self._telling.note(note)
        return await asyncio.shield(self._start(argv, cwd, self._message.secrets, self._telling.write).exited)

    async def capture(self, argv: list[str], cwd: str, env: dict[str, str] = ENVIRONMENT) -> tuple[int, str]:
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

    async def capture_here(self, argv: list[str], env: dict[str, str] | None = None) -> tuple[int, str]:
        """The same in the workspace."""
        return await self.capture(argv, self._message.cwd, {**ENVIRONMENT, **(env or {})})

    async def start_talking(
        self,
        argv: list[str],
        env: dict[str, str],
        output: Callable[[bytes], None],
        errors: Callable[[bytes], None],
    ) -> Child:
        """Start a process that may outlive this request, its own variables and its temporary files."""
        await self._around.may_run.wait()
        cwd = self._message.cwd
        tmp = self._around.directory / KEPT
        tmp.mkdir(mode=0o700, exist_ok=True)
        lasting = {name: value for name, value in self._message.env.items() if name not in OF_A_CHUNK}
        variables = {**lasting, **self._message.secrets, **env}
        complete = environment.build(variables, cwd=cwd, tmp=str(tmp), mark=self._around.mark)
        command = self._around.mode.command(argv)
        child = await self._around.children.start_talking(command, cwd=cwd, env=complete, sink=output, errors=errors)
        self.tell(child.pid)
        return child

    def _start(self, argv: list[str], cwd: str, more: dict[str, str], sink: Callable[[bytes], None]) -> Child:
        env = environment.build(
            {**self._message.env, **more},
            cwd=cwd,
            tmp=str(self._tmp),
            mark=self._around.mark,
            findings_file=self._findings_file,
        )
        child = self._around.children.start(self._around.mode.command(argv), cwd=cwd, env=env, sink=sink)
        self._children.append(child)
        self.tell(child.pid)
        return child

    def tell(self, pid: int | None) -> None:
        """Write into the journal, once, that the request has started."""
        if not self._is_told:
            self._is_told = True
            message = self._message
            self._around.journal.append("started", request=message.request, attempt=message.attempt, pid=pid)

    @property
    def exit_code(self) -> int | None:
        """The exit code of the last process, when it has ended."""
        if self._children and self._children[-1].exited.done():
            return self._children[-1].exited.result()
        return None

    def drain(self) -> None:
        """Take what a frozen tree has left in its pipes."""
        for child in self._children:
            child.drain()

    def close(self) -> None:
        """Take the last of the output; what comes later is nobody's."""
        for child in self._children:
            child.drain()
            child.close()

    async def clear_away(self, more: Iterable[Path]) -> None:
        """Remove what the processes had for the time of the request, and more."""
        with contextlib.suppress(OSError):
            if self._findings_file:
                os.unlink(self._findings_file)
        for path in (self._tmp, *more):
            try:
                os.rmdir(path)
            except FileNotFoundError:
                continue
            except OSError:
                await asyncio.get_running_loop().run_in_executor(None, remove_tree, path)
