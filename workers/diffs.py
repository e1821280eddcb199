"""Which files differ between two commits, with their counts. How the lines of one differ: `workers.patches`.

Commits do not change, so what was found once is remembered. Names of files are text here, whatever their bytes are:
what is no text, or is not seen, is escaped (`workers.git.readable`).
"""

import hashlib
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import IO

from workers.git import GitFailed, readable, run, write

MOST_FILES = 5000  # of one difference that are listed
KEY_LENGTH = 16
REMEMBERED = 10_000  # files of all differences together, about 7 MB
BLOCK = 1 << 16  # bytes of git's answer that are read at once
# The plumbing command, which follows nobody's configuration; the options ward off what it follows nevertheless.
PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "--find-renames", "--submodule=short")
DIFF = ("diff-tree", "-r", *PLAIN, "--ignore-submodules=none")
FILES = (*DIFF, "--stdin", "--always", "--raw", "--numstat", "-z", "--no-abbrev")
EXECUTABLE, LINK, SUBMODULE = "100755", "120000", "160000"


class Kind(StrEnum):
    """What has become of a file."""

    ADDED = "A"  # it was not there
    DELETED = "D"  # it is not there any more
    MODIFIED = "M"  # its contents or its mode differ
    RENAMED = "R"  # it had another name, and mostly the same contents
    RETYPED = "T"  # a file has become a symbolic link, or the other way round


@dataclass(frozen=True, slots=True)
class Change:
    """One file that differs between two commits. Counts are None for a binary file."""

    kind: Kind
    path: str
    was: str  # its path before
    modes: tuple[str, str]
    blobs: tuple[str, str]  # what git calls the contents, before and after
    added: int | None
    removed: int | None
    names: tuple[str, str]  # its paths as git has them, before and after; they may hold what is no text

    @property
    def key(self) -> str:
        """What an address may call the file: short, however long its path is."""
        return hashlib.sha256(self.path.encode()).hexdigest()[:KEY_LENGTH]

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


@dataclass(frozen=True)
class Difference:
    """What differs between two commits: the files by path, MOST_FILES at most, and how much differs in all of them."""

    files: list[Change]
    totals: Totals

    @property
    def left_out(self) -> int:
        """How many files differ that are not listed."""
        return self.totals.files - len(self.files)


NOTHING = Difference([], Totals(0, 0, 0))
Pair = tuple[str, str, str]


class _Memory:
    """The differences that were asked for last, as far as the number of their files allows."""

    def __init__(self) -> None:
        self._found: OrderedDict[Pair, Difference] = OrderedDict()
        self._files = 0
        self._lock = threading.Lock()

    def get(self, pair: Pair) -> Difference | None:
        with self._lock:
            if pair in self._found:
                self._found.move_to_end(pair)
            return self._found.get(pair)

    def put(self, pair: Pair, difference: Difference) -> None:
        with self._lock:
            self._forget(pair)
            self._found[pair] = difference
            self._files += self._weight(difference)
            while self._files > REMEMBERED:
                self._forget(next(iter(self._found)))

    def _forget(self, pair: Pair) -> None:
        if gone := self._found.pop(pair, None):
            self._files -= self._weight(gone)

    def _weight(self, difference: Difference) -> int:
        return len(difference.files) + 1  # a difference without files takes a place, too


_memory = _Memory()


def remembered(directory: str | Path, old: str, new: str) -> Difference | None:
    """What differs, if somebody has asked for it before; git is not asked."""
    return NOTHING if old == new else _memory.get((str(directory), old, new))


def changes(directory: str | Path, old: str, new: str) -> Difference:
    """What differs between two commits. Raises GitFailed."""
    (found,) = each(directory, [(old, new)])
    return found


def each(directory: str | Path, pairs: Sequence[tuple[str, str]]) -> Iterator[Difference]:
    """What differs between the commits of each pair: one question to git, however many they are. Raises GitFailed."""
    known = [remembered(directory, old, new) for old, new in pairs]
    answers = _asked(directory, [pair for pair, found in zip(pairs, known, strict=True) if found is None])
    for found in known:
        yield next(answers) if found is None else found


def _asked(directory: str | Path, pairs: Sequence[tuple[str, str]]) -> Iterator[Difference]:
    if not pairs:
        return
    with tempfile.TemporaryFile() as file:  # of a whole tree it may be more than memory should hold
        write(directory, file, *FILES, told="".join(f"{new} {old}\n" for old, new in pairs))
        file.seek(0)
        answers = _read(_fields(file))
        for old, new in pairs:
            answer = next(answers, None)
            if answer is None or answer.commit != new:  # git is silent about it
                raise GitFailed(f"The repository does not have the commit {new}.")
            difference = answer.difference()
            _memory.put((str(directory), old, new), difference)
            yield difference


def _fields(file: IO[bytes]) -> Iterator[str]:
    """What stands between the NULs."""
    rest = b""
    while block := file.read(BLOCK):
        *whole, rest = (rest + block).split(b"\0")
        yield from (field.decode(errors="surrogateescape") for field in whole)


def _read(fields: Iterator[str]) -> Iterator["_Answer"]:
    """What git says of each commit: its name, every file's modes and contents, then every file's counts."""
    answer: _Answer | None = None
    for text in fields:
        if text.startswith(":"):
            assert answer is not None
            answer.take_head(text, fields)
        elif "\t" in text:
            assert answer is not None
            answer.take_counts(text, fields)
        else:
            if answer is not None:
                yield answer
            answer = _Answer(text)
    if answer is not None:
        yield answer


@dataclass
class _Answer:
    """What git says of one commit, as far as it was read: the heads and counts of the first files, and the sums."""

    commit: str
    heads: list[tuple[list[str], str, str]] = field(default_factory=list)
    counts: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    files: int = 0
    added: int = 0
    removed: int = 0

    def take_head(self, text: str, fields: Iterator[str]) -> None:
        head = text[1:].split(" ")
        was = next(fields)
        path = next(fields) if head[4][0] in "RC" else was
        self.files += 1
        if len(self.heads) < MOST_FILES:
            self.heads.append((head, was, path))

    def take_counts(self, text: str, fields: Iterator[str]) -> None:
        added, removed, path = text.split("\t", 2)
        if not path:  # of a rename, which has two
            _, path = next(fields), next(fields)
        counts = _count(added), _count(removed)
        self.added += counts[0] or 0
        self.removed += counts[1] or 0
        if len(self.counts) < MOST_FILES:  # they come in the order of the heads
            self.counts[path] = counts

    def difference(self) -> Difference:
        return Difference([self._change(*head) for head in self.heads], Totals(self.files, self.added, self.removed))

    def _change(self, head: list[str], was: str, path: str) -> Change:
        counts = self.counts.get(path, (0, 0))
        modes, blobs = (head[0], head[1]), (head[2], head[3])
        return Change(Kind(head[4][0]), readable(path), readable(was), modes, blobs, *counts, names=(was, path))


def _count(text: str) -> int | None:
    return None if text == "-" else int(text)


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

    What was committed between two of them belongs to the later. Raises GitFailed.
    """
    found: dict[str, list[int]] = {}
    for at, difference in enumerate(each(directory, list(pairwise([base, *commits])))):
        for change in difference.files:
            for path in dict.fromkeys((change.was, change.path)):
                found.setdefault(path, []).append(at)
    return found
