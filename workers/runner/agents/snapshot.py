"""What the files of a workspace are, as a git tree: to tell whether something changed, to show it, and to undo it."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from workers.runner.git import GIT, excluding

INDEX = "snapshot.index"
REPOSITORY = ":160000 160000 "  # how a line of git-diff-files(1) begins that is about one
NO_COLOUR = ("--no-color", "--no-ext-diff")


class Capture(Protocol):
    """Runs a command in the workspace; gives its exit code and its output."""

    def __call__(self, argv: list[str], env: dict[str, str] | None = None) -> Awaitable[tuple[int, str]]: ...


class Unknown(Exception):
    """git did not do what it was asked for: nothing is known, or nothing is undone."""


@dataclass(frozen=True)
class Snapshot:
    """The files as a tree; the branch that HEAD is on ("": none), and its commit ("": none yet).

    `inner`: the repositories inside, submodules and others, in which something is not committed, each with its tree.
    """

    tree: str
    inner: tuple[tuple[str, str], ...]
    branch: str
    commit: str

    def is_like(self, other: "Snapshot") -> bool:
        """Whether all files are the same."""
        return (self.tree, self.inner) == (other.tree, other.inner)


class Snapshots:
    """Snapshots of the workspace, without what git ignores, or the setup has left. Its own index is not touched."""

    def __init__(self, capture: Capture, cwd: str, place: Path) -> None:
        """`place`: where what git knows of the files is kept from one snapshot to the next."""
        self._capture = capture
        self._cwd = cwd
        self._place = place

    async def take(self) -> Snapshot | None:
        """The workspace as it is now; None where that cannot be known, as in one that is in no repository."""
        try:
            top = await self._git("rev-parse", "--show-toplevel")
            tree, inner = await self._files(Path(top), INDEX)
            return Snapshot(tree, tuple(inner), *await self._head())
        except (Unknown, OSError):
            return None

    async def _files(self, top: Path, name: str) -> tuple[str, list[tuple[str, str]]]:
        """The tree of a repository, and those of the repositories inside it."""
        own = self._place / name
        env = {"GIT_INDEX_FILE": str(own)}
        git = partial(self._git, "-C", str(top), *excluding(str(top)))
        try:
            if not own.exists():
                await self._begin(top, own)
            await git("add", "--all", env=env)
            if await git("ls-files", "--cached", "--ignored", "--exclude-standard", "-z", env=env):
                await self._begin(top, own)  # something is ignored that was not so before
                await git("add", "--all", env=env)
            tree = await git("write-tree", env=env)
            dirty = (await git("diff-files", "--raw", "-z", "--ignore-submodules=none", env=env)).split("\0")
        except BaseException:
            own.unlink(missing_ok=True)
            raise
        inner = []
        for about, path in zip(dirty[0::2], dirty[1::2], strict=False):
            if not about.startswith(REPOSITORY):
                continue  # a file that is being written this very moment
            found, deeper = await self._files(
                top / path, f"{INDEX}-{sha256(f'{name}/{path}'.encode()).hexdigest()[:16]}"
            )
            inner += [(path, found), *((f"{path}/{below}", it) for below, it in deeper)]
        return tree, inner

    async def _begin(self, top: Path, own: Path) -> None:
        """Begin with the repository's index: with what git knows of the files, so that it reads few."""
        index = await self._git("-C", str(top), "rev-parse", "--path-format=absolute", "--git-path", "index")
        own.with_name(f"{own.name}.lock").unlink(missing_ok=True)  # of a git that was killed
        own.unlink(missing_ok=True)
        if os.path.exists(index):
            part = own.with_name(f"{own.name}.part")
            shutil.copyfile(index, part)
            os.replace(part, own)

    async def _head(self) -> tuple[str, str]:
        _, branch = await self._capture([*GIT, "symbolic-ref", "--quiet", "HEAD"])
        _, commit = await self._capture([*GIT, "rev-parse", "--verify", "--quiet", "HEAD"])
        return branch.strip(), commit.strip()

    async def difference(self, before: str, after: str) -> str:
        """The changes from one tree or commit to another, as a patch; "" where git knows of none."""
        try:
            return await self._git("diff", *NO_COLOUR, before, after)
        except Unknown:
            return ""

    async def differs(self, commit: str, after: Snapshot) -> bool:
        """Whether the files are not those of a commit; one that git does not know is like none."""
        try:
            return bool(after.inner) or await self._git("rev-parse", f"{commit}^{{tree}}") != after.tree
        except Unknown:
            return True

    async def changed(self, before: Snapshot, after: Snapshot) -> list[str]:
        """What is not the same, for people: paths, and HEAD. Raises Unknown."""
        has_moved = (before.branch, before.commit) != (after.branch, after.commit)
        inner = sorted({path for path, _ in set(before.inner) ^ set(after.inner)})
        return [path for _, path in await self._listed(before, after)] + inner + ["HEAD"] * has_moved

    async def undo(self, before: Snapshot, after: Snapshot) -> None:
        """Make what has changed between the two what it was before. No other file is touched. Raises Unknown, as for
        what was done in repositories inside.
        """
        listed = await self._listed(before, after)
        top = Path(await self._git("rev-parse", "--show-toplevel"))
        if (before.branch, before.commit) != (after.branch, after.commit):
            await self._put_head_back(before)
        for status, path in listed:
            if status == "A":
                _remove(top, path)
        if others := [path for status, path in listed if status != "A"]:
            with tempfile.NamedTemporaryFile("w", prefix="specyard-", errors="surrogateescape") as paths:
                paths.write("\0".join(others))
                paths.flush()
                only = (f"--pathspec-from-file={paths.name}", "--pathspec-file-nul")
                options = ("restore", f"--source={before.tree}", "--worktree", *only)
                await self._git("--literal-pathspecs", "-C", str(top), *options)
        if before.inner != after.inner:
            raise Unknown

    async def _listed(self, before: Snapshot, after: Snapshot) -> list[tuple[str, str]]:
        listed = await self._git("diff", "--name-status", "--no-renames", "-z", before.tree, after.tree)
        parts = listed.split("\0")
        return list(zip(parts[0::2], parts[1::2], strict=False))

    async def _put_head_back(self, before: Snapshot) -> None:
        if before.branch and before.commit:
            await self._git("update-ref", before.branch, before.commit)
        if before.branch:
            await self._git("symbolic-ref", "HEAD", before.branch)
        else:
            await self._git("update-ref", "--no-deref", "HEAD", before.commit)
        if before.commit:
            await self._git("reset", "--quiet")  # the index, not the files

    async def _git(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        code, output = await self._capture([*GIT, *arguments], env)
        if code:
            raise Unknown
        return output.rstrip("\n")


def _remove(top: Path, path: str) -> None:
    """Remove a file, or a repository that was put there, and the directories that this leaves empty."""
    found = top / path
    try:
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)
    except OSError as error:
        raise Unknown from error
    with contextlib.suppress(OSError):
        for parent in found.parents:
            if parent == top:
                return
            parent.rmdir()
