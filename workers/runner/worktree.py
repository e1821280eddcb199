"""A git worktree as a workspace: made from the fresh default branch, committed to, and put back, by git itself.

What touches the parts that all worktrees of a repository share (refs, their list) is done under one lock per
repository; files are checked out without it.
"""

import contextlib
import json
import os
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.runner import ahead, submodules
from workers.runner.freshness import fresh_base
from workers.runner.git import (
    IDENTITY,
    Git,
    GitFailed,
    check_out,
    exclude_file,
    excluding,
    place_in,
    place_of,
    repository_lock,
)
from workers.runner.messages import Worktree

MOST_NAMES = 100
SUBMODULES = "# submodules: "
NO_COMMIT = re.compile(r"'(.+?)/?' does not have a commit checked out")
HALF_DONE = ("rebase", "am", "cherry-pick", "revert", "merge")  # each can be left open


@dataclass
class Made:
    """A worktree: where the worker works in it, its branch, the commit that it began with, what people should know."""

    directory: str
    branch: str
    base: str
    notes: list[str] = field(default_factory=list)
    was_there: bool = False  # it was made ahead
    ready: bool = False  # and that at this very commit, so that at most its setup is left to be done
    waited: float = 0.0  # seconds, for the repository

    def facts(self) -> dict[str, Any]:
        facts = {"directory": self.directory, "branch": self.branch, "base": self.base, "notes": self.notes}
        return {**facts, "ready": self.ready, "waited": round(self.waited, 4)}


async def make(git: Git, wanted: Worktree) -> Made:
    """Make a worktree of the repository that `git` stands in, or take over one that was made ahead.

    What an attempt before this has half made goes: nobody has worked in it. Raises NoRepository or GitFailed.
    """
    inside = await place_of(git)
    notes = await _uncommitted(git)
    began = time.time()
    await _clear(git, wanted)
    branch = await _free_branch(git, wanted.branch)
    spare = await ahead.take(git, wanted)
    base = await fresh_base(git, wanted.base, notes, began - ahead.FRESH if spare else began)
    Path(wanted.target).parent.mkdir(parents=True, exist_ok=True)
    _branch_file(wanted).write_text(branch)
    if spare:
        await git.at(spare.directory)("checkout", "--quiet", "-b", branch)
    else:
        await _add(git, wanted, branch, base)
    top = git.at(spare.directory if spare else wanted.target)
    ready = spare is not None and spare.commit == base
    if not ready:
        notes += await check_out(top, base)
    directory = place_in(top.directory, inside, wanted.base)
    return Made(directory, branch, base, notes, spare is not None, ready, git.waited)


async def _add(git: Git, wanted: Worktree, branch: str, base: str) -> None:
    async with repository_lock(git):
        await git("worktree", "prune")  # of one at this place that is gone, it would be in the way
        await git("worktree", "add", "--quiet", "--no-checkout", "-b", branch, wanted.target, base)


async def _uncommitted(git: Git) -> list[str]:
    if not await git.ask("status", "--porcelain", "--untracked-files=no", "--ignore-submodules"):
        return []
    return ["The project's directory has uncommitted changes. They are not in the worktree."]


def _branch_file(wanted: Worktree) -> Path:
    """Beside the worktree: the branch that was made for it."""
    return Path(wanted.target + ".branch")


async def _clear(git: Git, wanted: Worktree) -> None:
    """Remove what an attempt that did not come to its end has made, its branch too if it leads nowhere."""
    places = [place for place in (wanted.target, ahead.taken_before(wanted)) if place and os.path.lexists(place)]
    if places or _branch_file(wanted).exists():
        async with repository_lock(git):
            for place in places:
                await git.ask("worktree", "remove", "--force", "--force", place)
                shutil.rmtree(place, ignore_errors=True)
            await git("worktree", "prune")
            await _remove_branch(git, wanted)
    ahead.forget_taken(wanted)


async def _remove_branch(git: Git, wanted: Worktree) -> None:
    try:
        branch = _branch_file(wanted).read_text()
    except FileNotFoundError:
        return
    others = ("--not", f"--exclude={branch}", "--branches", "--remotes", "HEAD")
    if not await git.ask("rev-list", "--max-count=1", f"refs/heads/{branch}", *others):
        await git.ask("branch", "--quiet", "-D", branch)


async def _free_branch(git: Git, name: str) -> str:
    """The name, or the first of name-2, name-3 … that no branch has.

    Where a branch is called like the first part of the name there can be none below it: then below `specyard`.
    """
    first, _, rest = name.partition("/")
    if rest and await _has_branch(git, first):
        name = f"specyard-{rest}" if await _has_branch(git, "specyard") else f"specyard/{rest}"
    for number in range(1, MOST_NAMES):
        candidate = name if number == 1 else f"{name}-{number}"
        if not await git.ask("for-each-ref", "--count=1", f"refs/heads/{candidate}"):  # nor one below it
            return candidate
    raise GitFailed(f"There are {MOST_NAMES - 1} branches named like {name} already.")


async def _has_branch(git: Git, name: str) -> bool:
    return await git.succeeds("show-ref", "--verify", "--quiet", f"refs/heads/{name}")


# In a worktree


async def remember_untracked(git: Git) -> None:
    """Note what lies there untracked after the setup: it belongs to no commit and stays in every clean-up.

    What it left in submodules is noted too, in a comment.
    """
    top_level = await git("rev-parse", "--show-toplevel")
    found = await git("ls-files", "--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z")
    top = (await git("rev-parse", "--show-prefix")).rstrip("/")
    lines = ["/" + "/".join(filter(None, (top, _as_pattern(name)))) for name in found.split("\0") if name]
    theirs = await git.ask("config", "--type=path", "core.excludesFile") or os.path.expanduser("~/.config/git/ignore")
    with contextlib.suppress(OSError):
        lines += Path(theirs).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    lines += [f"{SUBMODULES}{json.dumps(await submodules.uncommitted(git.at(top_level)))}"]
    text = "".join(f"{line}\n" for line in lines)
    exclude_file(top_level).write_text(text, encoding="utf-8", errors="surrogateescape")


def _as_pattern(name: str) -> str:
    """A path that gitignore(5) takes literally."""
    return "".join(f"\\{char}" if char in "\\*?[ !#" else char for char in name)


async def checkpoint(git: Git, message: str, branch: str = "", base: str = "") -> dict[str, Any]:
    """Commit everything that has changed, on the branch. Gives the commit that stands afterwards, whether it is a new
    one, and notes for people.

    `base`: where the branch stood after the last checkpoint.
    """
    top, is_half_done = await _top_of(git)
    notes = await _back_onto(top, branch, base, is_half_done=is_half_done) if branch else []
    await _add_all(top, base or "HEAD")
    changed = not await top.succeeds("diff", "--cached", "--quiet")
    if changed:
        commit = ("commit", "--quiet", "--no-verify", "--no-gpg-sign", f"--message={message}")
        if not await top.succeeds("-c", "user.useConfigOnly=true", *commit):  # who it is from is not known
            await top(*IDENTITY, *commit)
    return {"commit": await top("rev-parse", "HEAD"), "changed": changed, "notes": notes}


async def _add_all(top: Git, base: str) -> None:
    """Put everything into the index. Raises GitFailed for what no commit of this repository can hold."""
    try:
        await top(*excluding(top.directory), "add", "--all")
        problems = await submodules.problems(top, base, _remembered(top))
    except GitFailed as error:
        if (found := NO_COMMIT.search(str(error))) is None:
            raise
        problems = [submodules.inner(found[1])]
    if problems:
        await top.ask("reset", "--quiet")
        raise GitFailed(" ".join(problems))


async def _back_onto(top: Git, branch: str, base: str, *, is_half_done: bool) -> list[str]:
    """Put HEAD back onto the branch where somebody has taken it elsewhere. No file changes.

    Commits that were made elsewhere stay there; what they did to the files is among what is to be committed.
    """
    ref = f"refs/heads/{branch}"
    where = await top.ask("symbolic-ref", "--quiet", "HEAD")
    is_there = await top.succeeds("show-ref", "--verify", "--quiet", ref)
    if where == ref and is_there and not is_half_done:
        return []
    for half_done in HALF_DONE:
        await top.ask(half_done, "--quit")
    if not is_there:  # it was renamed or removed
        await top("update-ref", ref, base or "HEAD")
    await top("symbolic-ref", "HEAD", ref)
    found = "in the middle of a rebase" if is_half_done else f"on {where.removeprefix('refs/heads/') or 'no branch'}"
    return [f"The worktree was {found}: put back onto {branch}, with the files as they are."]


async def restore(git: Git, branch: str, commit: str) -> None:
    """Put the worktree back to a commit of its branch: tracked files, untracked ones, not what git ignores."""
    top, is_rebasing = await _top_of(git)
    if is_rebasing:
        await top.ask("am", "--abort")
        await top.ask("rebase", "--abort")
    await top("checkout", "--quiet", "--force", "-B", branch, commit)
    await top(*excluding(top.directory), "clean", "--quiet", "-f", "-f", "-d")
    await submodules.put_back(top, _remembered(top))


async def _top_of(git: Git) -> tuple[Git, bool]:
    """git at the top of a worktree, and whether a rebase or the like was left there half done.

    A git that was killed has left its lock; nothing of the run is alive that could hold it.
    """
    names = ("index.lock", "rebase-merge", "rebase-apply")
    asked = [part for name in names for part in ("--git-path", name)]
    said = await git("rev-parse", "--path-format=absolute", "--show-toplevel", *asked)
    top, lock, *half_done = said.split("\n")
    Path(lock).unlink(missing_ok=True)
    return git.at(top), any(os.path.exists(path) for path in half_done)


def _remembered(top: Git) -> dict[str, str]:
    """The submodules in which the setup has left something."""
    with contextlib.suppress(OSError, ValueError):
        for line in exclude_file(top.directory).read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            if line.startswith(SUBMODULES):
                return dict(json.loads(line.removeprefix(SUBMODULES)))
    return {}
