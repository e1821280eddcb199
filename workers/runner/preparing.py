"""Workspaces: a copy of the project or a git worktree, made before the first chunk, committed to and put back after."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from workers.runner import ahead, worktree
from workers.runner.executors.base import Outcome, Reason, Result
from workers.runner.exits import describe
from workers.runner.git import Capture, Git, GitFailed, NoRepository
from workers.runner.messages import Ahead, Checkpoint, Copy, Prepare, Restore, Worktree

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
    made.ready = made.ready and not command
    if made.was_there:
        tools.note("made ahead")
    return Result(Outcome.PASSED, facts=made.facts())


async def _keep_ahead(wanted: Ahead, tools: Tools) -> Result:
    git = tools.git(wanted.repository)
    ready = Result(Outcome.PASSED, facts={"ready": True})
    try:
        if wanted.task == "remove":
            await ahead.remove(git, wanted)
            return ready
        if (kept := await ahead.keep(git, wanted)) is None:
            return ready
        for note in kept.notes:
            tools.note(note)
        await worktree.remember_untracked(git.at(kept.directory))
        ahead.offer(wanted, kept.commit)
        return ready
    except ahead.Gone as gone:
        return Result(Outcome.PASSED, facts={"ready": True, "gone": str(gone)})
    except (GitFailed, OSError) as error:
        return _git_failed("The worktree could not be made ahead", error)


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
