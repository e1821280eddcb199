"""What an agent changed in a file, line by line, from the text before and the text after."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

from dashboard.pages.words import visible

CONTEXT = 3  # lines that are shown around a change
MOST_ROWS = 200  # lines that are shown of one edit
COMPARABLE = 250_000  # old lines times new lines; more than this would take seconds to compare


class Row(NamedTuple):
    """A line of a diff. `kind`: same, added, removed or hunk; the numbers are empty where a side has no such line."""

    kind: str
    old: int | str
    new: int | str
    text: str


@dataclass(frozen=True)
class Edit:
    """The changes of one file."""

    path: str
    rows: list[Row]
    added: int
    removed: int

    @property
    def shown(self) -> list[Row]:
        return self.rows[:MOST_ROWS]

    @property
    def hidden(self) -> int:
        """How many lines are not shown."""
        return max(0, len(self.rows) - MOST_ROWS)


Block = tuple[str, int, int, int, int]  # as difflib has them: tag, old from, to, new from, to


def edit(path: str, old: str, new: str) -> Edit:
    """The changes that make `new` of `old`; where both are long and differ throughout, one whole replaces the other."""
    before, after = _lines(old), _lines(new)
    blocks = _blocks(before, after)
    rows = list(_rows(before, after, blocks))
    added = sum(end - start for tag, _, _, start, end in blocks if tag != "equal")
    removed = sum(end - start for tag, start, end, _, _ in blocks if tag != "equal")
    return Edit(visible(path), rows, added, removed)


def _lines(text: str) -> list[str]:
    return [visible(line.removesuffix("\r")) for line in text.removesuffix("\n").split("\n")] if text else []


def _blocks(before: list[str], after: list[str]) -> list[Block]:
    """What differs, without the lines that both texts begin and end with: those need no comparing."""
    head = _same(before, after)
    tail = _same(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(old) * len(new) > COMPARABLE:
        found: list[Block] = [("replace", 0, len(old), 0, len(new))]
    else:
        found = [*SequenceMatcher(None, old, new, autojunk=False).get_opcodes()]
    return [(tag, a + head, b + head, c + head, d + head) for tag, a, b, c, d in found if tag != "equal"]


def _same(one: list[str], other: list[str]) -> int:
    """How many lines they have in common from the start on."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _rows(before: list[str], after: list[str], blocks: list[Block]) -> Iterator[Row]:
    shown = 0  # old lines that are shown or passed over
    for at, (_, old, old_end, new, new_end) in enumerate(blocks):
        start = max(shown, old - CONTEXT)
        if start > shown or (at == 0 and start > 0):
            yield Row("hunk", "", "", f"@@ line {start + new - old + 1} @@")
        yield from (Row("same", n + 1, n + 1 + new - old, before[n]) for n in range(start, old))
        yield from (Row("removed", n + 1, "", before[n]) for n in range(old, old_end))
        yield from (Row("added", "", n + 1, after[n]) for n in range(new, new_end))
        following = blocks[at + 1][1] if at + 1 < len(blocks) else len(before)
        shown = min(old_end + CONTEXT, following)
        yield from (Row("same", n + 1, n + 1 + new_end - old_end, before[n]) for n in range(old_end, shown))
