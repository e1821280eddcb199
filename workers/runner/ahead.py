"""Worktrees that were made ahead, with nobody working in them yet, so that a worker's start need not wait for git.

A record beside them says which they are: NAME.making while one is made or brought up to date, NAME.ready when a worker
may take it. Each step from one to the next is a rename, so that of two who try one wins; taking moves the record to the
worker that takes. A worktree without a record is somebody's, and is never touched here.
"""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from workers.runner.freshness import ask_ahead
from workers.runner.git import Git, GitFailed, check_out, place_in, place_of, repository_lock
from workers.runner.messages import Ahead, Worktree

FRESH = 60.0  # seconds for which a start believes what the origin has said to somebody else
MAKING, READY, TAKEN = ".making", ".ready", ".taken"


@dataclass(frozen=True)
class Record:
    """A worktree made ahead: where it is, of which repository, and its commit."""

    directory: str
    repository: str
    commit: str = ""


@dataclass(frozen=True)
class Kept:
    """A worktree that was made, or brought up to date; where in it a worker is to work."""

    directory: str
    commit: str
    notes: list[str]


class Gone(GitFailed):
    """Somebody has taken it, or has done something in it: it is not to be touched any more."""


# For who keeps them


async def keep(git: Git, wanted: Ahead) -> Kept | None:
    """Make one, or bring it up to date. None when it is; else it is offered only after `offer`.

    Raises NoRepository, Gone or another GitFailed.
    """
    inside = await place_of(git)
    base = await ask_ahead(git, wanted.base)
    if wanted.task == "make":
        await _make(git, wanted, base)
    elif (found := read(wanted.record + READY)) and found.commit == base:
        return None
    else:
        await _claim(git, wanted)
    notes = await check_out(git.at(wanted.target), base)
    return Kept(place_in(wanted.target, inside, wanted.base), base, notes)


async def _make(git: Git, wanted: Ahead, base: str) -> None:
    if os.path.lexists(wanted.target):
        raise Gone(f"{wanted.target} is there already. It is left as it is.")
    _write(wanted.record + MAKING, Record(wanted.target, wanted.repository), exclusive=True)
    async with repository_lock(git):
        await git("worktree", "add", "--quiet", "--no-checkout", "--detach", wanted.target, base)


async def _claim(git: Git, wanted: Ahead) -> None:
    """Take it back from those who may take it. Raises Gone."""
    try:
        os.rename(wanted.record + READY, wanted.record + MAKING)
    except FileNotFoundError:
        raise Gone(f"{wanted.target} was taken.") from None
    found = read(wanted.record + MAKING)
    if not await _is_untouched(git.at(wanted.target), found.commit if found else ""):
        os.unlink(wanted.record + MAKING)
        raise Gone(f"{wanted.target} was changed by somebody. It is left as it is.")


def offer(wanted: Ahead, commit: str) -> None:
    """From now on a worker may take it."""
    _write(wanted.record + MAKING, Record(wanted.target, wanted.repository, commit))
    os.rename(wanted.record + MAKING, wanted.record + READY)


async def remove(git: Git, wanted: Ahead) -> None:
    """Remove one that nobody has taken. Raises Gone or another GitFailed."""
    if os.path.isdir(wanted.target) and not os.path.exists(wanted.record + MAKING):
        await _claim(git, wanted)
    if os.path.isdir(wanted.repository) and await git.succeeds("rev-parse", "--git-dir"):
        async with repository_lock(git):
            await git.ask("worktree", "remove", "--force", "--force", wanted.target)
    code, _ = await git.capture(["rm", "-rf", "--", wanted.target], os.sep)
    if code:
        raise GitFailed(f"{wanted.target} could not be removed.")
    for path in (wanted.target + ".exclude", wanted.record + MAKING, wanted.record + READY):
        Path(path).unlink(missing_ok=True)


# For a worker that begins


async def take(git: Git, wanted: Worktree) -> Record | None:
    """Take over the oldest that fits, None when there is none."""
    if not wanted.ahead:
        return None
    place = Path(wanted.ahead)
    for path in sorted(place.parent.glob(f"{place.name}*{READY}"), key=_age):
        if read(path) is None:
            continue  # who keeps them removes it, which takes the record
        if (found := _rename(path, Path(wanted.target + TAKEN))) and await _fits(git, found):
            return found
        forget_taken(wanted)
    return None


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _rename(record: Path, to: Path) -> Record | None:
    """Write down whose it is now, for good; None when somebody else was faster."""
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(record, to)
    except FileNotFoundError:
        return None
    for directory in {record.parent, to.parent}:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    return read(str(to))


async def _fits(git: Git, found: Record) -> bool:
    """Whether it is there, belongs to this very repository, and nobody has done anything in it."""
    if not os.path.isdir(found.directory):
        return False
    asked = ("--path-format=absolute", "--git-common-dir", "HEAD", "--abbrev-ref", "HEAD")
    said = await git.at(found.directory).ask("rev-parse", *asked)
    return said.split("\n") == [str(await git.common()), found.commit, "HEAD"]


def taken_before(wanted: Worktree) -> str:
    """The directory that an attempt before this has taken over, "" for none."""
    found = read(wanted.target + TAKEN)
    return found.directory if found else ""


def forget_taken(wanted: Worktree) -> None:
    """Nothing is taken over any more."""
    Path(wanted.target + TAKEN).unlink(missing_ok=True)


async def _is_untouched(git: Git, commit: str) -> bool:
    """Whether it still stands at its commit, on no branch; "", not known: at one that some branch has too."""
    if not commit and await git.ask("for-each-ref", "--count=1", "--contains", "HEAD"):
        commit = await git.commit("HEAD")
    return await git.ask("rev-parse", "HEAD", "--abbrev-ref", "HEAD") == f"{commit}\nHEAD"


def read(path: str | Path) -> Record | None:
    """What a record says, of which another version may say more. None where there is none that can be read."""
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
        found = Record(**{field.name: told[field.name] for field in fields(Record) if field.name in told})
    except (OSError, ValueError, TypeError):
        return None
    return found if all(isinstance(value, str) for value in asdict(found).values()) else None


def _write(path: str, record: Record, *, exclusive: bool = False) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if exclusive else os.O_TRUNC)
    with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
