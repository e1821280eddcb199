"""What differs between two commits: the files with their counts, and the lines of one of them.

Commits do not change, so what was found once is remembered.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk, PatchSet

from workers.git import GitFailed, beginning, git, run, write

MOST_FILES = 5000
MOST_BYTES = 500_000  # of one file's changes that are shown
MOST_LINES = 2000
REMEMBERED = 256  # pairs of commits
MOST_STEPS = 60
PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "--find-renames", "--submodule=short")
HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)", re.DOTALL)
EXECUTABLE, LINK, SUBMODULE = "100755", "120000", "160000"


class Kind(StrEnum):
    """What has become of a file."""

    ADDED = "A"  # it was not there
    DELETED = "D"  # it is not there any more
    MODIFIED = "M"  # its contents or its mode differ
    RENAMED = "R"  # it had another name, and mostly the same contents
    RETYPED = "T"  # a file has become a symbolic link, or the other way round


@dataclass(frozen=True)
class Change:
    """One file that differs between two commits. Counts are None for a binary file."""

    kind: Kind
    path: str
    was: str  # its path before
    modes: tuple[str, str]
    blobs: tuple[str, str]  # what git calls the contents, before and after
    added: int | None
    removed: int | None

    @property
    def is_binary(self) -> bool:
        return self.added is None

    @property
    def lines(self) -> int:
        """How many lines were added and removed."""
        return (self.added or 0) + (self.removed or 0)

    @property
    def became_executable(self) -> bool | None:
        """Whether it may be executed now and could not before, or the other way round; None when neither."""
        before, after = (mode == EXECUTABLE for mode in self.modes)
        if self.kind in (Kind.ADDED, Kind.DELETED, Kind.RETYPED) or before == after:
            return None
        return after

    @property
    def is_link(self) -> bool:
        return LINK in self.modes

    @property
    def is_submodule(self) -> bool:
        return SUBMODULE in self.modes


@dataclass(frozen=True)
class Totals:
    """How much differs."""

    files: int
    added: int
    removed: int


def totals(files: Iterable[Change]) -> Totals:
    """The sums over the files."""
    files = list(files)
    return Totals(len(files), sum(file.added or 0 for file in files), sum(file.removed or 0 for file in files))


Pair = tuple[str, str, str]
_found: OrderedDict[Pair, list[Change]] = OrderedDict()
_lock = threading.Lock()


def remembered(directory: str | Path, old: str, new: str) -> list[Change] | None:
    """The files that differ, if somebody has asked for them before; git is not asked."""
    if old == new:
        return []
    with _lock:
        return _found.get((str(directory), old, new))


def changes(directory: str | Path, old: str, new: str) -> list[Change]:
    """The files that differ between two commits, by path, MOST_FILES at most. Raises GitFailed."""
    known = remembered(directory, old, new)
    if known is not None:
        return known
    said = git(directory, "diff", "--raw", "--numstat", "-z", "--no-abbrev", *PLAIN, old, new)
    found = _read(said.split("\0"))[:MOST_FILES]
    with _lock:
        _found[str(directory), old, new] = found
        while len(_found) > REMEMBERED:
            _found.popitem(last=False)
    return found


def _read(fields: Sequence[str]) -> list[Change]:
    """The output of `git diff --raw --numstat -z`: first every file's modes and contents, then every file's counts."""
    heads: list[tuple[list[str], str, str]] = []
    counts: dict[str, tuple[int | None, int | None]] = {}
    rest = iter(fields)
    for field in rest:
        if field.startswith(":"):
            head = field[1:].split(" ")
            was = next(rest)
            heads.append((head, was, next(rest) if head[4][0] in "RC" else was))
        elif field:
            added, removed, path = field.split("\t", 2)
            if not path:  # of a rename, which has two
                _, path = next(rest), next(rest)
            counts[path] = (_count(added), _count(removed))
    return [
        Change(Kind(head[4][0]), path, was, (head[0], head[1]), (head[2], head[3]), *counts.get(path, (0, 0)))
        for head, was, path in heads
    ]


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)


@dataclass(frozen=True)
class Patch:
    """How the lines of one file differ. `shown` is how many of them there are, when the rest was cut off."""

    hunks: list[Hunk]
    shown: int | None = None


def patch(directory: str | Path, old: str, new: str, change: Change) -> Patch:
    """The lines of one file that differ, with some around them: MOST_LINES at most. Raises GitFailed."""
    if change.is_binary:
        return Patch([])
    said = beginning(directory, MOST_BYTES, "diff", *PLAIN, old, new, "--", *_paths(change))
    lines = said.decode(errors="replace").split("\n")
    is_whole = len(said) < MOST_BYTES and len(lines) <= MOST_LINES
    if not is_whole:
        lines = _cut(lines[:MOST_LINES])
    start = next((at for at, line in enumerate(lines) if line.startswith("@@ ")), len(lines))
    if start == len(lines):
        return Patch([], None if is_whole else 0)
    try:  # without the names, which may hold anything
        found = PatchSet.from_string("\n".join(["--- a/file", "+++ b/file", *lines[start:]]))
    except UnidiffParseError as error:
        raise GitFailed(f"git's words about this file cannot be read: {error}") from error
    hunks = [hunk for file in found for hunk in file]
    return Patch(hunks, None if is_whole else sum(len(hunk) for hunk in hunks))


def _cut(lines: list[str]) -> list[str]:
    """The lines without the last, of which a part may be missing; the head of their last hunk agrees with them."""
    lines = lines[:-1]
    at = max((at for at, line in enumerate(lines) if line.startswith("@@ ")), default=None)
    if at is None:
        return lines
    body = lines[at + 1 :]
    old, new = (sum(line[:1] in ("", " ", sign) for line in body) for sign in "-+")
    head = HUNK.fullmatch(lines[at])
    assert head is not None
    return [*lines[:at], f"@@ -{head[1]},{old} +{head[2]},{new} @@{head[3]}", *body, ""] if body else [*lines[:at], ""]


def write_patch(directory: str | Path, file: IO[bytes], old: str, new: str, change: Change | None = None) -> None:
    """Write everything that differs, or all of one file, so that `git apply` understands it. Raises GitFailed."""
    write(directory, file, "diff", "--binary", *PLAIN, old, new, "--", *(_paths(change) if change else ()))


def _paths(change: Change) -> list[str]:
    return [f":(literal,top){path}" for path in dict.fromkeys((change.was, change.path))]


def sizes(directory: str | Path, changes: Iterable[Change]) -> dict[str, int]:
    """How many bytes the contents have, by what git calls them; what it does not have is left out. Raises GitFailed."""
    blobs = {blob for change in changes for blob in change.blobs if blob.strip("0") and not change.is_submodule}
    if not blobs:
        return {}
    check = ("cat-file", "--batch-check=%(objectname) %(objectsize)")
    _, said = run(directory, *check, told="".join(f"{blob}\n" for blob in sorted(blobs)))
    answers = (line.split(" ") for line in said.splitlines())
    return {blob: int(size) for blob, size in answers if size.isdecimal()}


def touched(directory: str | Path, base: str, commits: Sequence[str]) -> dict[str, list[int]]:
    """Which of the commits, counted from 0, have changed a file on the way from the one before, by path.

    What was committed between two of them belongs to the later. Of more than MOST_STEPS nothing is known: each is a
    question to git. Raises GitFailed.
    """
    found: dict[str, list[int]] = {}
    if len(commits) > MOST_STEPS:
        return found
    for at, (old, new) in enumerate(zip([base, *commits], commits, strict=False)):
        for change in changes(directory, old, new) if old != new else []:
            for path in dict.fromkeys((change.was, change.path)):
                found.setdefault(path, []).append(at)
    return found
