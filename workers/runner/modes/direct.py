"""The mode `direct`: plain processes, as the user could start them, owned as one tree."""

import asyncio
import contextlib
import time
from collections.abc import Collection

from workers.runner.process import ON_LINUX, Children, any_children
from workers.runner.tree import PortableTree, Tree


class Direct:
    """Processes of this system, below the runner, with nothing around them."""

    name = "direct"

    def __init__(self, tree: Tree, children: Children) -> None:
        self.tree = tree
        self.children = children
        self.exact = ON_LINUX and not isinstance(tree, PortableTree)

    def command(self, argv: list[str]) -> list[str]:
        return argv

    def is_empty(self, tree: Tree | None = None) -> bool:
        """Whether nothing is left. On Linux exact, and one system call in the usual case."""
        if self.exact and not any_children():
            return True
        self.children.collect()
        self.children.sweep()
        if tree is not None:
            return not tree.members()
        return not any_children() if self.exact else not self.tree.members()

    async def freeze(self) -> None:
        """Return when every descendant is really stopped."""
        delay = 0.0005
        while not self.tree.freeze_step():
            self.children.sweep()
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, 0.02)

    def thaw(self) -> None:
        self.tree.thaw()

    async def end(self, grace: float) -> int:
        """TERM, CONT, grace, KILL until nothing is left. Returns how many were there at the beginning."""
        if self.is_empty():
            return 0
        count = len(self.tree.members())
        self.tree.ask_to_end()
        await self._until_gone(grace)
        await self.kill()
        return count

    async def kill(self, spared: Collection[int] = ()) -> int:
        """KILL until nothing is left but the spared processes and what is below them. Returns how many it killed."""
        tree = self.tree.without(spared) if spared else None
        killed: set[int] = set()
        while not self.is_empty(tree):
            killed.update((tree or self.tree).kill_step())
            await self._until_gone(0.02, tree)
        return len(killed)

    async def _until_gone(self, timeout: float, tree: Tree | None = None) -> None:
        end = time.monotonic() + timeout
        delay = 0.001
        while not self.is_empty(tree) and (left := end - time.monotonic()) > 0:
            self.children.changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.children.changed.wait(), min(left, delay))
            delay = min(delay * 1.5, 0.05)
