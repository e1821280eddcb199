"""A git worktree as a workspace: made from the fresh default branch, committed to, and put back, by git itself.

Every git command is a process of the run, so that it can be stopped and frozen like any other. What touches the parts
that all worktrees of a repository share (refs, their list) is done under one lock per repository.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.runner.messages import Worktree

# Runs an argv in a directory; gives its exit code and its output.
Capture = Callable[[list[str], str], Awaitable[tuple[int, str]]]

LOCK_NAME = "specyard.lock"  # in the directory that all worktrees of a repository share
LOCK_PAUSE = 0.02
LOCK_LIMIT = 600.0  # seconds; somebody else's fetch is the longest thing that holds it
FETCH_LIMIT = 60.0
MOST_NAMES = 100
IDENTITY = ("-c", "user.name=Specyard", "-c", "user.email=specyard@localhost")
# No question at a terminal that nobody sees.
ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true", "LC_ALL": "C.UTF-8"}


class GitFailed(Exception):
    """What git said, as a sentence."""


class NoRepository(GitFailed):
    """The directory is in no git repository."""


@dataclass
class Git:
    """git in one directory."""

    capture: Capture
    directory: str

    async def __call__(self, *arguments: str) -> str:
        """Its output without the last line end. Raises GitFailed with what it said."""
        code, output = await self.capture(["git", *arguments], self.directory)
        if code:
            raise GitFailed(_said(output) or f"git {arguments[0]} ended with exit code {code}.")
        return output.rstrip("\n")

    async def ask(self, *arguments: str) -> str:
        """The same, but "" where git fails: for questions that may have no answer."""
        code, output = await self.capture(["git", *arguments], self.directory)
        return "" if code else output.rstrip("\n")

    async def succeeds(self, *arguments: str) -> bool:
        code, _ = await self.capture(["git", *arguments], self.directory)
        return code == 0

    def at(self, directory: str) -> "Git":
        return Git(self.capture, directory)


def _said(output: str) -> str:
    """What git complains of, in one line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line.partition(": ")[2] for line in lines if line.startswith(("fatal: ", "error: "))]
    return " ".join((told or lines[-1:])[:3])


@asynccontextmanager
async def repository_lock(git: Git) -> AsyncIterator[None]:
    """Within: nobody else of Specyard touches what the worktrees of this repository share.

    The kernel lets go of it when this process ends, however it does.
    """
    common = await git("rev-parse", "--path-format=absolute", "--git-common-dir")
    fd = os.open(Path(common) / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        async with asyncio.timeout(LOCK_LIMIT):
            while not _try_lock(fd):
                await asyncio.sleep(LOCK_PAUSE)
        yield
    except TimeoutError as error:
        raise GitFailed(f"Another worker has held the repository for {LOCK_LIMIT:.0f} s.") from error
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass
class Made:
    """A worktree: where the worker works in it, its branch, the commit that it began with, what people should know."""

    directory: str
    branch: str
    base: str
    notes: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        return {"directory": self.directory, "branch": self.branch, "base": self.base, "notes": self.notes}


async def make(git: Git, wanted: Worktree) -> Made:
    """Make a worktree of the repository that `git` stands in. Raises NoRepository or GitFailed.

    What an attempt before this has half made goes: nobody has worked in it.
    """
    if not await git.succeeds("rev-parse", "--is-inside-work-tree"):
        raise NoRepository(f"{git.directory} is in no git repository.")
    if not await git.succeeds("rev-parse", "--verify", "--quiet", "HEAD^{commit}"):
        raise GitFailed("The repository has no commit yet: make a first one, or let the project's workers copy it.")
    notes = await _uncommitted(git)
    inside = await git("rev-parse", "--show-prefix")
    async with repository_lock(git):
        base = await _fresh_base(git, wanted.base, notes)
        await _clear(git, wanted)
        branch = await _free_branch(git, wanted.branch)
        Path(wanted.target).parent.mkdir(parents=True, exist_ok=True)
        _branch_file(wanted).write_text(branch)
        await git("worktree", "add", "--quiet", "-b", branch, wanted.target, base)
    notes += await _submodules(git.at(wanted.target))
    directory = os.path.join(wanted.target, inside).rstrip("/")
    if not os.path.isdir(directory):
        raise GitFailed(f"The branch {wanted.base} has no directory {inside.rstrip('/')}.")
    return Made(directory, branch, base, notes)


async def _uncommitted(git: Git) -> list[str]:
    if not await git.ask("status", "--porcelain", "--untracked-files=no", "--ignore-submodules"):
        return []
    return ["The project's directory has uncommitted changes. They are not in the worktree."]


async def _fresh_base(git: Git, name: str, notes: list[str]) -> str:
    """The commit to begin with: the branch as its remote has it, unless ours is further; else where HEAD stands."""
    local = await git.ask("rev-parse", "--verify", "--quiet", f"refs/heads/{name}^{{commit}}") if name else ""
    remote = await _fetched(git, name, notes) if name else ""
    if local and remote and local != remote:
        if await git.succeeds("merge-base", "--is-ancestor", local, remote):
            return remote
        if not await git.succeeds("merge-base", "--is-ancestor", remote, local):
            notes.append(f"{name} and origin/{name} have diverged. The worktree begins with the local {name}.")
        return local
    if local or remote:
        return local or remote
    head = await git("rev-parse", "HEAD")
    where = await git.ask("symbolic-ref", "--quiet", "--short", "HEAD") or f"the detached commit {head[:10]}"
    if name:
        notes.append(f"There is no branch {name}. The worktree begins with {where}.")
    return head


async def _fetched(git: Git, name: str, notes: list[str]) -> str:
    """The branch as `origin` has it now; "" without such a remote or branch. An origin out of reach is a note."""
    if "origin" not in (await git.ask("remote")).split():
        return ""
    where = f"refs/remotes/origin/{name}"
    fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "origin", f"+refs/heads/{name}:{where}")
    try:
        async with asyncio.timeout(FETCH_LIMIT):
            await git(*fetch)
    except TimeoutError:
        notes.append(f"origin did not answer within {FETCH_LIMIT:.0f} s.")
    except GitFailed as error:
        notes.append(f"origin could not be fetched: {error}")
    return await git.ask("rev-parse", "--verify", "--quiet", f"{where}^{{commit}}")


def _branch_file(wanted: Worktree) -> Path:
    """Beside the worktree: the branch that was made for it."""
    return Path(wanted.target + ".branch")


async def _clear(git: Git, wanted: Worktree) -> None:
    """Remove what an attempt that did not come to its end has made, its branch too if it leads nowhere."""
    if Path(wanted.target).exists():
        await git.ask("worktree", "remove", "--force", "--force", wanted.target)
        shutil.rmtree(wanted.target, ignore_errors=True)
    await git("worktree", "prune")
    try:
        branch = _branch_file(wanted).read_text()
    except FileNotFoundError:
        return
    others = ("--not", f"--exclude={branch}", "--branches", "--remotes", "HEAD")
    if not await git.ask("rev-list", "--max-count=1", f"refs/heads/{branch}", *others):
        await git.ask("branch", "--quiet", "-D", branch)


async def _free_branch(git: Git, name: str) -> str:
    """The name, or the first of name-2, name-3 … that no branch has."""
    for number in range(1, MOST_NAMES):
        candidate = name if number == 1 else f"{name}-{number}"
        if not await git.succeeds("show-ref", "--verify", "--quiet", f"refs/heads/{candidate}"):
            return candidate
    raise GitFailed(f"There are {MOST_NAMES - 1} branches named like {name} already.")


async def _submodules(git: Git) -> list[str]:
    if not os.path.exists(os.path.join(git.directory, ".gitmodules")):
        return []
    code, output = await git.capture(["git", "submodule", "update", "--quiet", "--init", "--recursive"], git.directory)
    return [f"Submodules are missing: {_said(output)}"] if code else []


# In a worktree


async def remember_untracked(git: Git) -> None:
    """Note what lies there untracked after the setup: it belongs to no commit and stays in every clean-up."""
    top_level = await git("rev-parse", "--show-toplevel")
    found = await git("ls-files", "--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
    top = (await git("rev-parse", "--show-prefix")).rstrip("/")
    lines = ["/" + "/".join(filter(None, (top, _as_pattern(name)))) for name in found.split("\0") if name]
    theirs = await git.ask("config", "--type=path", "core.excludesFile") or os.path.expanduser("~/.config/git/ignore")
    with contextlib.suppress(OSError):
        lines += Path(theirs).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    text = "".join(f"{line}\n" for line in lines)
    _exclude_file(top_level).write_text(text, encoding="utf-8", errors="surrogateescape")


def _as_pattern(name: str) -> str:
    """A path that gitignore(5) takes literally."""
    return "".join(f"\\{char}" if char in "\\*?[ !#" else char for char in name)


async def checkpoint(git: Git, message: str) -> dict[str, Any]:
    """Commit everything that has changed. Gives the commit that stands afterwards and whether it is a new one."""
    await _remove_stale_lock(git)
    top = git.at(await git("rev-parse", "--show-toplevel"))
    await top(*_excluding(top), "add", "--all")
    changed = not await top.succeeds("diff", "--cached", "--quiet")
    if changed:
        known = await top.ask("config", "user.email")
        identity = () if known else IDENTITY
        commit = ("commit", "--quiet", "--no-verify", "--no-gpg-sign", f"--message={message}")
        await top(*identity, "-c", "core.hooksPath=/dev/null", *commit)
    return {"commit": await top("rev-parse", "HEAD"), "changed": changed}


async def restore(git: Git, branch: str, commit: str) -> None:
    """Put the worktree back to a commit of its branch: tracked files, untracked ones, not what git ignores."""
    await _remove_stale_lock(git)
    top = git.at(await git("rev-parse", "--show-toplevel"))
    await top.ask("am", "--abort")
    await top.ask("rebase", "--abort")
    await top("checkout", "--quiet", "--force", "-B", branch, commit)
    await top(*_excluding(top), "clean", "--quiet", "-f", "-f", "-d")


def _exclude_file(top_level: str) -> Path:
    """Beside the worktree: what git ignores there, in the form of a .gitignore."""
    return Path(top_level + ".exclude")


def _excluding(top: Git) -> tuple[str, ...]:
    exclude = _exclude_file(top.directory)
    return ("-c", f"core.excludesFile={exclude}") if exclude.exists() else ()


async def _remove_stale_lock(git: Git) -> None:
    """A git that was killed in this worktree has left its lock; nothing of the run is alive that could hold it."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(await git("rev-parse", "--path-format=absolute", "--git-path", "index.lock"))
