"""What the files of a worktree are, as a git tree: to tell whether something changed, to show it, and to undo it."""

import os
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

NO_COLOUR = ("--no-color", "--no-ext-diff")


class Capture(Protocol):
    """Runs a command in the workspace; gives its exit code and its output."""

    def __call__(self, argv: list[str], env: dict[str, str] | None = None) -> Awaitable[tuple[int, str]]: ...


class Snapshots:
    """Trees of the workspace, ignored files left out. Nothing of the repository's own index is touched."""

    def __init__(self, capture: Capture, cwd: str) -> None:
        self._capture = capture
        self._cwd = cwd

    async def take(self) -> str:
        """The tree as it is now; "" where there is no git repository."""
        index = await self._git("rev-parse", "--path-format=absolute", "--git-path", "index")
        if not index:
            return ""
        with tempfile.TemporaryDirectory(prefix="specyard-") as place:
            own = Path(place) / "index"
            if os.path.exists(index):
                own.write_bytes(Path(index).read_bytes())  # with what git knows of the files, so that it reads few
            env = {"GIT_INDEX_FILE": str(own)}
            await self._git("add", "--all", ":/", env=env)
            return await self._git("write-tree", env=env)

    async def difference(self, before: str, after: str) -> str:
        """The changes from one tree or commit to another, as a patch."""
        return await self._git("diff", *NO_COLOUR, before, after)

    async def undo(self, before: str, after: str) -> list[str]:
        """Make the files of `after` those of `before` again; the paths that had changed."""
        listed = await self._git("diff", "--name-status", "--no-renames", "-z", before, after)
        parts = listed.split("\0")
        changed = list(zip(parts[0::2], parts[1::2], strict=False))
        top = Path(await self._git("rev-parse", "--show-toplevel") or self._cwd)
        for status, path in changed:
            if status == "A":
                (top / path).unlink(missing_ok=True)
        if any(status != "A" for status, _ in changed):
            await self._git("restore", f"--source={before}", "--worktree", "--", ":/")
        return [path for _, path in changed]

    async def _git(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        code, output = await self._capture(["git", *arguments], env)
        return "" if code else output.rstrip("\n")
