"""What becomes of a worker's branch: what it changed, its merge into the base, or its removal. By git, on the node.

Every git command is bounded in time and runs outside of any transaction. A merge is made beside the project's own
directory, from objects alone; only when it is whole does the base move, from the very commit that it was made on.
"""

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workers.runner.worktree import IDENTITY, LOCK_NAME, LOCK_PAUSE

GIT_SECONDS = 60.0
LOCK_SECONDS = 120.0  # somebody else's fetch is the longest thing that holds it
PATCH_BYTES = 1_000_000  # of one file's changes; more is told, not shown
MOST_FILES = 2000


class CannotLand(Exception):
    """Why nothing was merged or removed, as a sentence. Nothing has changed."""


@dataclass(frozen=True)
class Change:
    """One file that differs between two commits. Counts are None for a binary file."""

    path: str
    added: int | None
    removed: int | None


def git(directory: str | Path, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    """What git says in that directory. Raises CannotLand with its complaint, or when it takes too long."""
    return _run(directory, arguments, codes)[1]


def _run(directory: str | Path, arguments: tuple[str, ...], codes: tuple[int, ...]) -> tuple[int, str]:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=directory, env=environment, capture_output=True, timeout=GIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise CannotLand(f"git {arguments[0]} took longer than {GIT_SECONDS:.0f} s.") from None
    except OSError as error:
        raise CannotLand(f"git cannot run in {directory}: {error.strerror}.") from error
    if done.returncode not in codes:
        raise CannotLand(_complaint(done.stderr.decode(errors="replace")) or f"git {arguments[0]} failed.")
    return done.returncode, done.stdout.decode(errors="surrogateescape")


def _complaint(text: str) -> str:
    lines = [line.partition(": ")[2] for line in text.splitlines() if line.startswith(("fatal: ", "error: "))]
    return " ".join(lines[:3])


def changes(directory: str | Path, old: str, new: str) -> list[Change]:
    """The files that differ between two commits, MOST_FILES at most. Raises CannotLand."""
    fields = git(directory, "diff", "--numstat", "--no-renames", "-z", old, new).split("\0")
    found = []
    for field in fields[:MOST_FILES]:
        if field:
            added, removed, path = field.split("\t", 2)
            found.append(Change(path, _count(added), _count(removed)))
    return found


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)


def patch(directory: str | Path, old: str, new: str, path: str) -> str:
    """The changes of one file as a unified diff; "" for one that is too large to show. Raises CannotLand."""
    text = git(directory, "diff", "--no-color", "--no-ext-diff", "--no-renames", old, new, "--", f":(literal){path}")
    return text if len(text) <= PATCH_BYTES else ""


@dataclass(frozen=True)
class Merged:
    """The commit at which the base stands now, and whether it got there without a merge commit."""

    commit: str
    fast_forward: bool


def merge(repository: str | Path, branch: str, base: str, message: str) -> Merged:
    """Merge a worker's branch into the base. Raises CannotLand: then the base and all files are as they were."""
    with _lock(repository):
        base = base if _exists(repository, base) else git(repository, "symbolic-ref", "--short", "HEAD").strip()
        old = git(repository, "rev-parse", "--verify", f"refs/heads/{base}^{{commit}}").strip()
        tip = git(repository, "rev-parse", "--verify", f"refs/heads/{branch}^{{commit}}").strip()
        new = _merged(repository, old, tip, message)
        if new != old:
            _move(repository, base, old, new)
        return Merged(new, fast_forward=new in (old, tip))


def _merged(repository: str | Path, old: str, tip: str, message: str) -> str:
    """The commit that holds both, made of objects alone."""
    if _is_ancestor(repository, old, tip):
        return tip
    if _is_ancestor(repository, tip, old):
        return old
    code, output = _run(repository, ("merge-tree", "--write-tree", "--name-only", "--no-messages", old, tip), (0, 1))
    tree, *conflicts = output.splitlines()
    if code:
        names = ", ".join(conflicts[:5]) + (f" and {len(conflicts) - 5} more" if len(conflicts) > 5 else "")
        raise CannotLand(f"The branch conflicts with its base in {names}.")
    identity = () if _run(repository, ("config", "user.email"), (0, 1))[1].strip() else IDENTITY
    commit = git(repository, *identity, "commit-tree", tree, "-p", old, "-p", tip, "-m", message)
    return commit.strip()


def _move(repository: str | Path, base: str, old: str, new: str) -> None:
    """Move the base, together with the files where it is checked out."""
    place = _checked_out(repository, base)
    if place is None:
        git(repository, "update-ref", f"refs/heads/{base}", new, old)
        return
    if git(place, "status", "--porcelain", "--untracked-files=no"):
        raise CannotLand(f"{place} has uncommitted changes. Commit or stash them, then merge again.")
    git(place, "merge", "--quiet", "--ff-only", new)


def _checked_out(repository: str | Path, branch: str) -> str | None:
    """The worktree in which a branch is checked out."""
    place = ""
    for line in git(repository, "worktree", "list", "--porcelain", "-z").split("\0"):
        if line.startswith("worktree "):
            place = line.removeprefix("worktree ")
        elif line == f"branch refs/heads/{branch}":
            return place
    return None


@dataclass(frozen=True)
class Loss:
    """What a removal would lose: commits that only this branch holds, and files that are in no commit."""

    commits: list[str]
    files: list[str]


def loss(repository: str | Path, workspace: str | Path, branch: str) -> Loss:
    """What nobody could get back after `discard`. Raises CannotLand."""
    others = ("--not", f"--exclude={branch}", "--branches", "--remotes", "--tags")
    commits = git(repository, "log", "--format=%h %s", f"refs/heads/{branch}", *others).splitlines()
    files: list[str] = []
    if os.path.isdir(workspace):
        files = [line[3:] for line in git(workspace, "status", "--porcelain", "-z").split("\0") if line]
    return Loss(commits, files)


def discard(repository: str | Path, workspace: str | Path, branch: str) -> None:
    """Remove a worker's worktree and branch, whatever they hold. Raises CannotLand."""
    with _lock(repository):
        if os.path.isdir(workspace):
            top = git(workspace, "rev-parse", "--show-toplevel").strip()
            git(repository, "worktree", "remove", "--force", "--force", top)
        git(repository, "worktree", "prune")
        if _exists(repository, branch):
            git(repository, "branch", "--quiet", "-D", branch)


def _exists(repository: str | Path, branch: str) -> bool:
    return _run(repository, ("show-ref", "--verify", "--quiet", f"refs/heads/{branch}"), (0, 1))[0] == 0


def _is_ancestor(repository: str | Path, older: str, newer: str) -> bool:
    return _run(repository, ("merge-base", "--is-ancestor", older, newer), (0, 1))[0] == 0


@contextmanager
def _lock(repository: str | Path) -> Iterator[None]:
    """The lock that runners hold while they touch what the worktrees of a repository share."""
    common = git(repository, "rev-parse", "--path-format=absolute", "--git-common-dir").strip()
    fd = os.open(Path(common) / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_SECONDS
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise CannotLand("Another worker is busy with the repository.") from None
                time.sleep(LOCK_PAUSE)
        yield
    finally:
        os.close(fd)
