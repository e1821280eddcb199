"""Which files of a workspace a pattern means: none that lies outside of it, and each directory looked at once."""

import fnmatch
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

DEEPEST = 100  # directories
MAGIC = re.compile(r"[*?\[]")


class Finder:
    """Looks below `root`, a real path; calls `breathe` again and again, which may wait, or raise what ends it."""

    def __init__(self, root: str, breathe: Callable[[], None]) -> None:
        self.root = root
        self._breathe = breathe
        self._been: set[tuple[str, tuple[str, ...]]] = set()  # with one pattern: where, and with what of it left

    def matching(self, pattern: str) -> Iterator[str]:
        """Paths relative to the workspace, of what is no directory. A directory stands for all that is in it."""
        segments = [part for part in pattern.split("/") if part not in ("", ".")]
        if ".." not in segments:
            self._been.clear()
            yield from self._below("", tuple(segments), 0)

    def _below(self, place: str, segments: tuple[str, ...], depth: int) -> Iterator[str]:
        self._breathe()
        if depth > DEEPEST or (place, segments) in self._been:
            return
        self._been.add((place, segments))
        if not segments:
            if os.path.isdir(os.path.join(self.root, place)) and self._is_within(place):
                yield from self._below(place, ("**",), depth)
            else:
                yield place
            return
        head, rest = segments[0], segments[1:]
        if head == "**":
            yield from self._anywhere(place, rest, depth)
        elif MAGIC.search(head) is None:
            there = os.path.join(place, head)
            if os.path.lexists(os.path.join(self.root, there)):
                yield from self._below(there, rest, depth + 1)
        else:
            matches = re.compile(fnmatch.translate(head)).match
            for entry in self._entries(place):
                if matches(entry.name) and (head[0] == "." or entry.name[0] != "."):
                    yield from self._below(os.path.join(place, entry.name), rest, depth + 1)

    def _anywhere(self, place: str, rest: tuple[str, ...], depth: int) -> Iterator[str]:
        """In this directory or below; hidden names have to be named, and links are not followed."""
        if rest:
            yield from self._below(place, rest, depth)
        for entry in self._entries(place):
            if entry.name[0] == ".":
                continue
            there = os.path.join(place, entry.name)
            if entry.is_dir(follow_symlinks=False):
                yield from self._below(there, ("**", *rest), depth + 1)
            elif not rest:
                yield there

    def _entries(self, place: str) -> list["os.DirEntry[str]"]:
        self._breathe()
        if not self._is_within(place):
            return []
        try:
            with os.scandir(os.path.join(self.root, place)) as found:
                return sorted(found, key=lambda entry: entry.name)
        except OSError:  # gone meanwhile, no directory, or not to be read
            return []

    def _is_within(self, place: str) -> bool:
        """Whether it is in the workspace, wherever links lead."""
        return Path(os.path.realpath(os.path.join(self.root, place))).is_relative_to(self.root)
