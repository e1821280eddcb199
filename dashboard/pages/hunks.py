"""The lines of a diff: as they stand in it, or before and after side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from dashboard.pages.syntax import coloured
from dashboard.pages.words import visible

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from unidiff.patch import Hunk

LONGEST_LINE = 2000  # characters
KINDS = {"+": "added", "-": "removed", "\\": "note"}


@dataclass(frozen=True)
class Line:
    """One line of a file, with its number before and after."""

    kind: str  # same, added, removed or note
    sign: str
    text: str
    old: int | None = None
    new: int | None = None
    html: str = ""  # the text in colours, where its language is known

    @property
    def shown(self) -> str:
        return self.html or self.text


def head_of(hunk: "Hunk") -> str:
    """Where its lines stand before and after, and what git takes for the heading above them."""
    before, after = (hunk.source_start, hunk.source_length), (hunk.target_start, hunk.target_length)
    return _shown(f"@@ -{before[0]},{before[1]} +{after[0]},{after[1]} @@ {hunk.section_header}".rstrip())


def lines_of(hunk: "Hunk", lexer: "Lexer | None" = None) -> list[Line]:
    """The lines as they stand in a diff; with a lexer, in colours."""
    lines = [
        Line(
            KINDS.get(line.line_type, "same"),
            line.line_type.strip("\\ "),
            _shown(line.value.removeprefix(" ") if line.line_type == "\\" else line.value),
            line.source_line_no,
            line.target_line_no,
        )
        for line in hunk
    ]
    return _coloured(lines, lexer) if lexer else lines


def _coloured(lines: Sequence[Line], lexer: "Lexer") -> list[Line]:
    """Before and after are read by themselves: what was removed does not belong to what was added."""
    found = list(lines)
    for kinds in (("same", "removed"), ("same", "added")):
        places = [n for n, line in enumerate(lines) if line.kind in kinds]
        for n, html in zip(places, coloured([lines[n].text for n in places], lexer), strict=True):
            found[n] = replace(lines[n], html=html)
    return found


def _shown(value: str) -> str:
    text = value.removesuffix("\n")
    text = text[:-1] + "␍" if text.endswith("\r") else text
    if len(text) > LONGEST_LINE:
        text = f"{text[:LONGEST_LINE]} … and {len(text) - LONGEST_LINE} more characters"
    return visible(text)


def pairs_of(hunk: "Hunk", lexer: "Lexer | None" = None) -> list[tuple[Line | None, Line | None]]:
    """The lines before and after side by side; what was removed stands beside what was added in its place."""
    found: list[tuple[Line | None, Line | None]] = []
    removed: list[Line] = []
    added: list[Line] = []
    for line in [*lines_of(hunk, lexer), Line("end", "", "")]:
        if line.kind in ("removed", "added"):
            (removed if line.kind == "removed" else added).append(line)
        elif line.kind == "note" and (removed or added):
            (added or removed).append(line)
        else:
            found += zip_longest(removed, added)
            removed, added = [], []
            found.append((line, line))
    return found[:-1]
