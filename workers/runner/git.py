"""git as a process of the run, so that it can be stopped and frozen like any other; and the lock of a repository."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

# Runs an argv in a directory; gives its exit code and its output.
Capture = Callable[[list[str], str], Awaitable[tuple[int, str]]]

LOCK_NAME = "specyard.lock"  # in the directory that all worktrees of a repository share
LOCK_PAUSE = 0.02
LOCK_LIMIT = 600.0  # seconds; somebody else's fetch is the longest thing that holds it
GIT = ("git", "-c", "core.hooksPath=/dev/null")  # ours: the hooks of a repository are for people's own git
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
    waited: float = 0.0  # seconds, for the lock of the repository
    _common: Path | None = None

    async def __call__(self, *arguments: str) -> str:
        """Its output without the last line end. Raises GitFailed with what it said."""
        code, output = await self.capture([*GIT, *arguments], self.directory)
        if code:
            raise GitFailed(said(output) or f"git {arguments[0]} ended with exit code {code}.")
        return output.rstrip("\n")

    async def ask(self, *arguments: str) -> str:
        """The same, but "" where git fails: for questions that may have no answer."""
        code, output = await self.capture([*GIT, *arguments], self.directory)
        return "" if code else output.rstrip("\n")

    async def succeeds(self, *arguments: str) -> bool:
        code, _ = await self.capture([*GIT, *arguments], self.directory)
        return code == 0

    async def common(self) -> Path:
        """The directory that all worktrees of the repository share."""
        if self._common is None:
            self._common = Path(await self("rev-parse", "--path-format=absolute", "--git-common-dir"))
        return self._common

    async def commit(self, name: str) -> str:
        """The commit that a name stands for, "" for none."""
        return await self.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")

    def at(self, directory: str) -> "Git":
        return Git(self.capture, directory)


def said(output: str) -> str:
    """What git complains of, in one line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line.partition(": ")[2] for line in lines if line.startswith(("fatal: ", "error: "))]
    return " ".join((told or lines[-1:])[:3])


async def place_of(git: Git) -> str:
    """Where `git` stands within its repository: "services/mail/", "" at the top.

    Raises NoRepository, or GitFailed where there is nothing yet to begin with.
    """
    code, output = await git.capture([*GIT, "rev-parse", "--is-inside-work-tree", "--show-prefix"], git.directory)
    if code:
        raise NoRepository(f"{git.directory} is in no git repository.")
    if not output.startswith("true\n"):
        raise GitFailed(f"{git.directory} is a bare repository: name a clone of it that has files.")
    if not await git.commit("HEAD"):
        raise GitFailed("The repository has no commit yet: make a first one, or let the project's workers copy it.")
    return output.removeprefix("true\n").removesuffix("\n")


async def check_out(git: Git, commit: str) -> list[str]:
    """Put all files of a worktree, its submodules too, to what the commit has. Gives what people should know."""
    await git("reset", "--quiet", "--hard", commit)
    if not os.path.exists(os.path.join(git.directory, ".gitmodules")):
        return []
    code, output = await git.capture([*GIT, "submodule", "update", "--quiet", "--init", "--recursive"], git.directory)
    return [f"Submodules are missing: {said(output)}"] if code else []


def place_in(top: str, inside: str, base: str) -> str:
    """Where one works in a worktree whose project lies `inside` its repository. Raises GitFailed."""
    directory = os.path.join(top, inside).rstrip("/")
    if not os.path.isdir(directory):
        raise GitFailed(f"The branch {base} has no directory {inside.rstrip('/')}.")
    return directory


def exclude_file(top: str) -> Path:
    """Beside a worktree: what git ignores there, in the form of a .gitignore."""
    return Path(top + ".exclude")


def excluding(top: str) -> tuple[str, ...]:
    """Options with which git ignores that."""
    exclude = exclude_file(top)
    return ("-c", f"core.excludesFile={exclude}") if exclude.exists() else ()


@asynccontextmanager
async def repository_lock(git: Git) -> AsyncIterator[None]:
    """Within: nobody else of Specyard touches what the worktrees of this repository share.

    The kernel lets go of it when this process ends, however it does.
    """
    fd = os.open(await git.common() / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    began = time.monotonic()
    try:
        async with asyncio.timeout(LOCK_LIMIT):
            while not _try_lock(fd):
                await asyncio.sleep(LOCK_PAUSE)
        git.waited += time.monotonic() - began
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
