"""What becomes of a worker's branch: its merge into the base, or its removal. By git, on the node.

A merge is made beside the project's own directory, from objects alone; only when it is whole does the base move, from
the very commit that it was made on.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workers.git import GitFailed, git, prose, readable, run
from workers.runner.git import IDENTITY, LOCK_NAME, LOCK_PAUSE

LOCK_SECONDS = 120.0  # somebody else's fetch is the longest thing that holds it
# What people are told of a conflict, by git's own word for it.
WHY = {
    "content": "both changed the same lines",
    "contents": "both changed the same lines",
    "binary": "both changed it, and it is binary",
    "add/add": "both added it",
    "modify/delete": "one changed it, the other deleted it",
    "rename/delete": "one renamed it, the other deleted it",
    "rename/rename": "both renamed it",
    "file/directory": "a file on one side is a directory on the other",
    "distinct types": "it is of another type on each side",
    "submodule": "both moved the submodule",
}
CONFLICT = re.compile(r"CONFLICT \(([^)]+)\)")


class CannotLand(GitFailed):
    """Why nothing was merged or removed, as a sentence; then nothing has changed.

    `conflicts` are the files in which the branch and its base do not agree, each with what happened to it.
    """

    def __init__(self, sentence: str, conflicts: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(sentence)
        self.conflicts = conflicts


@dataclass(frozen=True)
class Merged:
    """The commit at which the base stands now, and whether it got there without a merge commit."""

    commit: str
    fast_forward: bool


def merge(repository: str | Path, branch: str, base: str, message: str) -> Merged:
    """Merge a worker's branch into the base.

    Raises CannotLand or another GitFailed; then the base and all files are as they were.
    """
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
    code, output = run(repository, "merge-tree", "--write-tree", "--name-only", "-z", old, tip, codes=(0, 1))
    tree, _, rest = output.partition("\0")
    if code:
        found = _conflicts(rest)
        raise CannotLand(
            f"The branch conflicts with its base in {len(found)} {'file' if len(found) == 1 else 'files'}.", found
        )
    identity = () if run(repository, "config", "user.email", codes=(0, 1))[1].strip() else IDENTITY
    commit = git(repository, *identity, "commit-tree", tree, "-p", old, "-p", tip, "-m", message)
    return commit.strip()


def _conflicts(output: str) -> list[tuple[str, str]]:
    """The files that cannot be merged and what happened to each, from what git-merge-tree(1) says with -z."""
    names, _, messages = output.partition("\0\0")
    why: dict[str, str] = {}
    fields = iter(messages.split("\0"))
    for number in fields:
        if not number.isdecimal():
            continue
        paths = [next(fields) for _ in range(int(number))]
        kind, sentence = next(fields), next(fields)
        if found := CONFLICT.match(sentence) or CONFLICT.match(kind):
            for path in paths:
                why.setdefault(path, WHY.get(found[1], found[1]))
    return [(readable(name), why.get(name, "")) for name in names.split("\0")]


def _move(repository: str | Path, base: str, old: str, new: str) -> None:
    """Move the base, together with the files where it is checked out."""
    place = _checked_out(repository, base)
    if place is None:
        git(repository, "update-ref", f"refs/heads/{base}", new, old)
        return
    if git(place, "status", "--porcelain", "--untracked-files=no"):
        raise CannotLand(f"{readable(place)} has uncommitted changes. Commit or stash them, then merge again.")
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
    """What a removal would lose: commits that only this branch holds, files that are in no commit, and what
    repositories inside the workspace (submodules too) hold that no remote has, told per repository."""

    commits: list[str]
    files: list[str]
    repositories: list[str]


def loss(repository: str | Path, workspace: str | Path, branch: str) -> Loss:
    """What nobody could get back after `discard`. Raises GitFailed."""
    others = ("--not", f"--exclude={branch}", "--branches", "--remotes", "--tags")
    commits = prose(git(repository, "log", "--format=%h %s", f"refs/heads/{branch}", *others)).splitlines()
    files: list[str] = []
    repositories: list[str] = []
    if os.path.isdir(workspace):
        status = git(workspace, "status", "--porcelain", "--no-renames", "-z")
        files = [readable(line[3:]) for line in status.split("\0") if line]
        top = Path(git(workspace, "rev-parse", "--show-toplevel").removesuffix("\n"))
        repositories = [told for place in _repositories_in(top) if (told := _only_there(top, place))]
    return Loss(commits, files, repositories)


def _repositories_in(top: Path) -> Iterator[Path]:
    """Those below it, also where git ignores them."""
    for place, directories, files in os.walk(top):
        if ".git" in directories or ".git" in files:
            if Path(place) != top:
                yield Path(place)
            directories[:] = [name for name in directories if name != ".git"]


def _only_there(top: Path, place: Path) -> str:
    """What a repository holds that no remote has, "" for nothing."""
    name = readable(str(place.relative_to(top)))
    try:
        status = git(
            place,
            "-c",
            "core.fsmonitor=false",
            "status",
            "--porcelain",
            "--no-renames",
            "-z",
            "--ignore-submodules=none",
        )
        commits = int(git(place, "rev-list", "--count", "--all", "--not", "--remotes", "--tags"))
    except GitFailed as error:
        return f"{name}: a repository that cannot be read ({error})"
    files = len([line for line in status.split("\0") if line])
    found = [f"{files} uncommitted {'file' if files == 1 else 'files'}"] * bool(files)
    found += [f"{commits} {'commit' if commits == 1 else 'commits'} on no remote"] * bool(commits)
    return f"{name}: {', '.join(found)}" if found else ""


def discard(repository: str | Path, workspace: str | Path, branch: str) -> None:
    """Remove a worker's worktree and branch, whatever they hold. Raises GitFailed."""
    with _lock(repository):
        if os.path.isdir(workspace):
            top = git(workspace, "rev-parse", "--show-toplevel").removesuffix("\n")
            git(repository, "worktree", "remove", "--force", "--force", top)
        git(repository, "worktree", "prune")
        if _exists(repository, branch):
            git(repository, "branch", "--quiet", "-D", branch)


def _exists(repository: str | Path, branch: str) -> bool:
    return run(repository, "show-ref", "--verify", "--quiet", f"refs/heads/{branch}", codes=(0, 1))[0] == 0


def _is_ancestor(repository: str | Path, older: str, newer: str) -> bool:
    return run(repository, "merge-base", "--is-ancestor", older, newer, codes=(0, 1))[0] == 0


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
