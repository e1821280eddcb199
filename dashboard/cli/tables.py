"""Tables that fit: columns go, the least needed first, then texts are cut; what is piped is plain and whole."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dashboard.cli.words import visible

GAP = 2
SHORTEST = 12  # cells to which a text is cut before a column goes
STYLES = {
    "running": "green",
    "passed": "green",
    "online": "green",
    "completed": "green",
    "failed": "red",
    "lost": "red",
    "silent": "red",
    "paused": "yellow",
    "pausing": "yellow",
    "resuming": "yellow",
    "stopping": "yellow",
    "draining": "yellow",
    "stopped": "dim",
    "skipped": "dim",
    "pending": "dim",
    "offline": "dim",
    "interrupted": "dim",
}


@dataclass(frozen=True)
class Column:
    """A column: its title, what it says of an item, and how much it is needed; `cut` where it may lose its end."""

    title: str
    cell: Callable[[Any], object]
    need: int = 100
    cut: bool = False
    right: bool = False

    @property
    def justify(self) -> Literal["left", "right"]:
        return "right" if self.right else "left"


@dataclass(frozen=True)
class Listing:
    """Rows of one sort, ready to be drawn at any width."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]

    @classmethod
    def of(cls, columns: Sequence[Column], items: Iterable[Any]) -> "Listing":
        """Every text in it is made harmless."""
        return cls(columns, [[visible(_text(column.cell(item))) for column in columns] for item in items])

    def drawn(self, width: int | None) -> Table:
        """As a table of at most so many cells; None: as wide as it is."""
        shown, widths = self._fitted(width)
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_edge=False, header_style="bold")
        for at, wide in zip(shown, widths, strict=True):
            column = self.columns[at]
            title = Text(column.title)
            table.add_column(title, width=wide, justify=column.justify, no_wrap=True, overflow="ellipsis")
        for row in self.rows:
            table.add_row(*(Text(row[at], style=STYLES.get(row[at].rstrip(" !"), "")) for at in shown))
        return table

    def _fitted(self, width: int | None) -> tuple[list[int], list[int]]:
        """The columns that are shown, and how wide each is."""
        natural = [
            max(cell_len(column.title), *(cell_len(row[at]) for row in self.rows), 1)
            for at, column in enumerate(self.columns)
        ]
        empty = {at for at in range(len(natural)) if self.rows and not any(row[at] for row in self.rows)}
        shown = [at for at in range(len(natural)) if at not in empty]
        if width is None:
            return shown, [natural[at] for at in shown]
        while len(shown) > 1 and self._least(shown, natural) > width:
            shown.remove(min(shown, key=lambda at: (self.columns[at].need, -at)))
        widths = {at: natural[at] for at in shown}
        while (over := sum(widths.values()) + GAP * len(shown) - GAP - width) > 0:
            can_shrink = [at for at in shown if self.columns[at].cut and widths[at] > SHORTEST]
            if not can_shrink:
                break
            widest = max(can_shrink, key=lambda at: widths[at])
            widths[widest] -= max(1, min(over // len(can_shrink), widths[widest] - SHORTEST))
        return shown, [min(widths[at], width) for at in shown]

    def _least(self, shown: list[int], natural: list[int]) -> int:
        """The width with every text cut as short as may be."""
        least = (min(natural[at], SHORTEST) if self.columns[at].cut else natural[at] for at in shown)
        return sum(least) + GAP * (len(shown) - 1)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def facts(pairs: Iterable[tuple[str, object]]) -> Listing:
    """Names with their values, without those that have none."""
    columns = (Column("", lambda pair: pair[0]), Column("", lambda pair: pair[1], cut=True))
    return Listing.of(columns, [pair for pair in pairs if pair[1] not in (None, "")])


def line(text: str, style: str = "") -> Text:
    """A line of its own."""
    return Text(visible(text), style=style, no_wrap=True, overflow="ellipsis")


def console() -> Console:
    """Where tables go: our own texts have no markup, and those of others even less."""
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=False)


def is_terminal() -> bool:
    """Whether somebody sees it as it is written."""
    return sys.stdout.isatty()


def drawn(parts: Iterable[Listing | Text], width: int | None) -> RenderableType:
    """Tables and lines below one another."""
    return Group(*(part.drawn(width) if isinstance(part, Listing) else part for part in parts))


def show(*parts: Listing | Text) -> None:
    """Write tables and lines: as wide as the terminal; plain and whole where another program reads."""
    out = console()
    if is_terminal():
        out.print(drawn(parts, out.width))
        return
    width = int(os.environ.get("COLUMNS", "")) if os.environ.get("COLUMNS", "").isdecimal() else None
    plain = Console(markup=False, highlight=False, emoji=False, width=width or 100_000, color_system=None)
    with plain.capture() as captured:
        plain.print(drawn(parts, width))
    for each in captured.get().splitlines():
        print(each.rstrip())
