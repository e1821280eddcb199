"""Workspaces: a copy of the project or a git worktree, made before the first chunk, committed to and put back after."""

import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workers.runner import ahead, worktree
from workers.runner.executors.base import Outcome, Reason, Result
from workers.runner.exits import describe
from workers.runner.git import Capture, Git, GitFailed, NoRepository
from workers.runner.messages import Ahead, Checkpoint, Copy, Prepare, Restore, Worktree

SETUP_BYTES = 1_000_000  # of what a setup command has said ahead
COPY_SCRIPT = 'rm -rf -- "$2" && mkdir -p -- "$2" && cp -a -- "$1/." "$2/"'


class Run(Protocol):
    """Runs an argv in a directory, its output in the log; gives its exit code."""

    def __call__(self, argv: list[str], *, cwd: str) -> Awaitable[int]: ...


@dataclass(frozen=True)
class Tools:
    """What a request lends: commands with output in its log, commands for their output, its log."""

    run: Run
    capture: Capture
    note: Callable[[str], None]
    write: Callable[[bytes], None]

    def git(self, directory: str) -> Git:
        return Git(self.capture, directory)


async def make(message: Prepare, tools: Tools) -> Result:
    """Make the workspace. The result's facts say where it is, if that was not known before.

    With the fact `ready` there is nothing left to be set up in it.
    """
    if message.ahead is not None:
        return await _keep_ahead(message.ahead, tools)
    if message.worktree is not None:
        return await _make_worktree(message.worktree, message.command, tools)
    if message.copied is not None:
        return await _copy(message.copied, tools)
    return Result(Outcome.PASSED)


async def _make_worktree(wanted: Worktree, command: str, tools: Tools) -> Result:
    try:
        made = await worktree.make(tools.git(wanted.repository), wanted)
    except NoRepository as error:
        result = await _copy(Copy(source=wanted.repository, target=wanted.target), tools)
        if result.outcome is not Outcome.PASSED:
            return result
        made = worktree.Made(wanted.target, "", "", [f"{error} The worker works in a copy."])
    except (GitFailed, OSError) as error:
        return _git_failed("The worktree could not be made", error)
    for note in made.notes:
        tools.note(note)
    made.ready = made.ready and made.command == command
    if made.log:
        tools.note("made ahead, set up again" if made.command and not made.ready else "made ahead")
        _tell_of_setup(made.log, tools, is_of_use=made.ready)
    return Result(Outcome.PASSED, facts=made.facts())


async def _keep_ahead(wanted: Ahead, tools: Tools) -> Result:
    git = tools.git(wanted.repository)
    try:
        kept = None
        if wanted.task == "remove":
            await ahead.remove(git, wanted)
        else:
            kept = await ahead.keep(git, wanted)
    except ahead.Gone as gone:
        return Result(Outcome.PASSED, facts={"ready": True, "gone": str(gone)})
    except (GitFailed, OSError) as error:
        return _git_failed("The worktree could not be made ahead", error)
    if kept is None:
        return Result(Outcome.PASSED, facts={"ready": True})
    for note in kept.notes:
        tools.note(note)
    return Result(Outcome.PASSED, facts={"directory": kept.directory, "base": kept.commit})


def offer(message: Prepare, facts: dict[str, Any]) -> None:
    """What was made ahead, and set up, may be taken over."""
    if message.ahead is not None:
        ahead.offer(message.ahead, facts["base"], message.command, message.log)


def _tell_of_setup(log: str, tools: Tools, *, is_of_use: bool) -> None:
    """What the setup command said when it ran ahead, its end at least, goes into the log of the worker."""
    with contextlib.suppress(OSError), open(log, "rb") as file:
        os.unlink(log)
        file.seek(max(0, os.fstat(file.fileno()).st_size - SETUP_BYTES))
        tools.write(file.read() if is_of_use else b"")


async def keep_or_put_back(message: Checkpoint | Restore, tools: Tools) -> Result:
    """Commit what has changed in the worktree, or undo it."""
    git = tools.git(message.cwd)
    try:
        if isinstance(message, Checkpoint):
            facts = await worktree.checkpoint(git, message.message, message.branch, message.base)
            for note in facts.pop("notes"):
                tools.note(note)
            return Result(Outcome.PASSED, facts=facts)
        await worktree.restore(git, message.branch, message.commit)
        return Result(Outcome.PASSED, facts={"commit": message.commit})
    except (GitFailed, OSError) as error:
        what = "committed" if isinstance(message, Checkpoint) else f"put back to {message.commit[:10]}"
        return _git_failed(f"The worktree could not be {what}", error)


async def _copy(copy: Copy, tools: Tools) -> Result:
    """Copy through a child process, which can be stopped and paused like every other."""
    source, target, part = Path(copy.source), Path(copy.target), half(copy)
    if target.is_dir():
        return Result(Outcome.PASSED)
    if not source.is_dir():
        return _not_copied(f"{source} is not a directory.")
    if target.resolve().is_relative_to(source.resolve()):
        return _not_copied(f"{target} lies inside of {source}.")
    argv = ["/bin/sh", "-c", COPY_SCRIPT, "copy", str(source), str(part)]
    try:
        code = await tools.run(argv, cwd=str(source))
        if code == 0:
            part.rename(target)
            return Result(Outcome.PASSED)
    except OSError as error:
        return _not_copied(f"{error.strerror}.")
    return _not_copied(f"The copying command {describe(code)}.", code)


def half(copy: Copy) -> Path:
    """Where a copy is made, before it gets its name."""
    return Path(copy.target + ".part")


def _git_failed(what: str, error: Exception) -> Result:
    return Result(Outcome.FAILED, Reason.GIT_FAILED, f"{what}: {error}")


def _not_copied(why: str, code: int | None = None) -> Result:
    return Result(Outcome.FAILED, Reason.COPY_FAILED, f"The project could not be copied: {why}", code)
