"""How the lines of a file differ between two commits: as much as a page shows, or everything, for `git apply`."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from workers.diffs import BLOCK, DIFF, Change
from workers.git import GitFailed, beginning, write
from workers.runner.masking import Mask

if TYPE_CHECKING:
    from unidiff.patch import Hunk

MOST_BYTES = 500_000  # of one file's changes that are shown
MOST_LINES = 2000
NOTHING_HIDDEN = Mask()
HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)", re.DOTALL)


@dataclass(frozen=True)
class Patch:
    """How the lines of one file differ. `shown` is how many of them there are, when the rest was cut off."""

    hunks: "list[Hunk]"
    shown: int | None = None


def patch(directory: str | Path, old: str, new: str, change: Change, mask: Mask = NOTHING_HIDDEN) -> Patch:
    """The lines of one file that differ, with some around them: MOST_LINES at most. Raises GitFailed."""
    if change.is_binary:
        return Patch([])
    said = beginning(directory, MOST_BYTES, *DIFF, "-p", old, new, "--", *_paths(change))
    lines = mask.data(said).decode(errors="replace").split("\n")  # no value that is hidden has a line end
    is_whole = len(said) < MOST_BYTES and len(lines) <= MOST_LINES
    if not is_whole:
        lines = _cut(lines[:MOST_LINES])
    start = next((at for at, line in enumerate(lines) if line.startswith("@@ ")), len(lines))
    if start == len(lines):
        return Patch([], None if is_whole else 0)
    hunks = _hunks(lines[start:])
    return Patch(hunks, None if is_whole else sum(len(hunk) for hunk in hunks))


def _hunks(lines: list[str]) -> "list[Hunk]":
    from unidiff.errors import UnidiffParseError  # here, because most pages live without the memory that it takes
    from unidiff.patch import PatchSet

    try:  # without the names, which may hold anything
        found = PatchSet.from_string("\n".join(["--- a/file", "+++ b/file", *lines]))
    except UnidiffParseError as error:
        raise GitFailed(f"git's words about this file cannot be read: {error}") from error
    return [hunk for file in found for hunk in file]


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


def write_patch(
    directory: str | Path,
    file: IO[bytes],
    old: str,
    new: str,
    change: Change | None = None,
    mask: Mask = NOTHING_HIDDEN,
) -> None:
    """Write everything that differs, or all of one file, so that `git apply` understands it. Raises GitFailed."""
    said = (*DIFF, "-p", "--binary", old, new, "--", *(_paths(change) if change else ()))
    if not mask:
        write(directory, file, *said)
        return
    with tempfile.TemporaryFile() as whole:
        write(directory, whole, *said)
        whole.seek(0)
        stream = mask.stream()
        while block := whole.read(BLOCK):
            file.write(stream.feed(block))
        file.write(stream.flush())


def _paths(change: Change) -> list[str]:
    return [f":(literal,top){path}" for path in dict.fromkeys(change.names)]
