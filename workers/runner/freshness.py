"""The commit that a worktree begins with: the project's branch as it is now, here and at its origin.

Asking an origin takes as long as the network does. What it said is written down beside the repository, so that who asks
while somebody else does shares the answer, and who takes over a worktree made ahead need not ask again.
"""

import asyncio
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from workers.runner.git import Git, GitFailed, repository_lock

FETCH_LIMIT = 60.0
STAMPS = "specyard.fetched"  # in the directory that all worktrees of a repository share
Stamps = dict[str, tuple[float, str, list[str]]]  # branch → when the origin was asked, its commit, notes
_STAMPS: TypeAdapter[Stamps] = TypeAdapter(Stamps)


@dataclass(frozen=True)
class Answer:
    """What the origin said of a branch: its commit ("": it has none), and what people should know."""

    commit: str = ""
    notes: list[str] = field(default_factory=list)


async def fresh_base(git: Git, name: str, notes: list[str], since: float) -> str:
    """The commit to begin with: the branch as its remote has it, unless ours is further; else where HEAD stands.

    What the origin said after the time `since` counts as what it says now.
    """
    if not name or not await has_origin(git):
        return await _base(git, name, Answer(), notes)
    common = await git.common()
    answer = _stamped(common, name, since)
    if answer is None or (answer.commit and not await git.commit(answer.commit)):
        async with repository_lock(git):
            answer = _stamped(common, name, since) or await _fetch(git, name, f"refs/remotes/origin/{name}")
    return await _base(git, name, answer, notes)


async def ask_ahead(git: Git, name: str) -> str:
    """The same for somebody who can wait: the lock is not held while the origin is asked, so that no start is."""
    answer = Answer()
    if name and await has_origin(git):
        began = time.time()
        answer = await _fetch(git, name, f"refs/specyard/ahead/{name}", stamp=False)
        async with repository_lock(git):
            _stamp(await git.common(), name, began, answer)
    return await _base(git, name, answer, [])


async def has_origin(git: Git) -> bool:
    return "origin" in (await git.ask("remote")).split()


async def _base(git: Git, name: str, answer: Answer, notes: list[str]) -> str:
    local, remote = await git.commit(f"refs/heads/{name}") if name else "", answer.commit
    notes += answer.notes
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


async def _fetch(git: Git, name: str, where: str, *, stamp: bool = True) -> Answer:
    """Ask the origin. One that is out of reach is a note, and counts as it was when it was reached last."""
    began, notes = time.time(), []
    options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
    try:
        async with asyncio.timeout(FETCH_LIMIT):
            await git("fetch", *options, "origin", f"+refs/heads/{name}:{where}")
    except TimeoutError:
        notes.append(f"origin did not answer within {FETCH_LIMIT:.0f} s.")
    except GitFailed as error:
        notes.append(f"origin could not be fetched: {error}")
    if notes:
        where = f"refs/remotes/origin/{name}"
    answer = Answer(await git.commit(where), notes)
    if stamp:
        _stamp(await git.common(), name, began, answer)
    return answer


def _stamped(common: Path, name: str, since: float) -> Answer | None:
    """What the origin was asked after `since`, None when nobody has asked."""
    found = _stamps(common).get(name)
    if found is None or not since <= found[0] <= time.time():
        return None
    return Answer(found[1], found[2])


def _stamp(common: Path, name: str, began: float, answer: Answer) -> None:
    """Write down what the origin said. Called with the repository's lock."""
    stamps = {**_stamps(common), name: (began, answer.commit, answer.notes)}
    path = common / STAMPS
    part = path.with_name(f"{STAMPS}.part")
    part.write_text(json.dumps(stamps), encoding="utf-8")
    os.replace(part, path)


def _stamps(common: Path) -> Stamps:
    try:
        return _STAMPS.validate_json((common / STAMPS).read_bytes())
    except (OSError, ValidationError):
        return {}
