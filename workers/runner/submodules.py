"""Repositories inside a worktree: submodules, and those that a tool has made there. A commit holds nothing of them but
a name for one of their commits, which is lost with the worktree where nobody else has it."""

import os
import re

from workers.runner.git import Git, GitFailed

GITLINK = "160000"
# A field of git-status(1), format 2: C another commit than in the index, M changed files, U untracked files.
STATE = re.compile(r"S([C.])([M.])([U.])")


async def problems(top: Git, base: str, known: dict[str, str]) -> list[str]:
    """What must not be committed as the index has it, since the commit `base`: a sentence for each repository.

    `known`: what `uncommitted` gave after the setup.
    """
    found = []
    for path, commit in (await _moved(top, base)).items():
        if path not in await _named(top):
            found.append(inner(path))
        elif not await _has_remote(top.at(os.path.join(top.directory, path)), commit):
            found.append(f"The submodule {path} is at a commit that no remote has: nobody else could check it out.")
    for path, state in (await uncommitted(top)).items():
        if set(state) - set(known.get(path, "")):
            found.append(f"The submodule {path} has changes that are not committed in it: they would be lost.")
    return found


def inner(path: str) -> str:
    """What is to be said of a repository that is no submodule."""
    return (
        f"{path} is a git repository of its own: no file in it would be committed. "
        "Remove its .git, or add it to .gitignore."
    )


async def uncommitted(top: Git) -> dict[str, str]:
    """The submodules in which something is not committed, each with letters that say what."""
    if not os.path.exists(os.path.join(top.directory, ".gitmodules")):
        return {}
    options = ("--porcelain=v2", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=none")
    found = {}
    for line in (await top("status", *options)).split("\0"):
        fields = line.split(" ", 8)
        if fields[0] == "1" and (state := STATE.fullmatch(fields[2])) and (letters := state[0][1:].replace(".", "")):
            found[fields[8]] = letters
    return found


async def put_back(top: Git, known: dict[str, str]) -> None:
    """Undo what was done in submodules since the setup. Raises GitFailed."""
    found = await uncommitted(top)
    changed = [path for path, state in found.items() if set(state) - set(known.get(path, ""))]
    for path in changed:
        if "U" not in known.get(path, ""):
            await top.at(os.path.join(top.directory, path))("clean", "--quiet", "-f", "-f", "-d")
    if changed:
        await top("submodule", "update", "--quiet", "--force", "--recursive", "--", *changed)


async def _moved(top: Git, base: str) -> dict[str, str]:
    """The repositories in the index that are at another commit than at `base`, or new; each with its commit."""
    options = ("--cached", "--raw", "-z", "--no-renames", "--ignore-submodules=none", "--no-abbrev")
    raw = await top("diff-index", *options, base)
    parts = raw.split("\0")
    changes = [(about.split(" "), path) for about, path in zip(parts[0::2], parts[1::2], strict=False)]
    return {path: about[3] for about, path in changes if about[1] == GITLINK}


async def _named(top: Git) -> set[str]:
    """The paths that .gitmodules names."""
    listed = await top.ask("config", "--file", ".gitmodules", "-z", "--get-regexp", r"^submodule\..*\.path$")
    return {entry.partition("\n")[2] for entry in listed.split("\0") if entry}


async def _has_remote(git: Git, commit: str) -> bool:
    try:
        return bool(await git.ask("for-each-ref", "--count=1", f"--contains={commit}", "refs/remotes"))
    except (GitFailed, OSError):
        return False
