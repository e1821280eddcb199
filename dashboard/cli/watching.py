"""A table that is drawn anew each second, until Ctrl-C."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from dashboard.cli import tables
from dashboard.cli.calling import Problem
from dashboard.cli.exits import UNREACHABLE
from dashboard.cli.refusal import Unreachable
from dashboard.cli.tables import Listing

SECONDS = 1.0
Look = Callable[[], Sequence[Listing | Text]]


def check(*, as_json: bool) -> None:
    """Raise UsageError for --watch where nobody can watch."""
    if as_json:
        raise click.UsageError("--watch and --json exclude each other: ask for --json as often as you need it.")
    if not tables.is_terminal():
        raise click.UsageError("--watch needs a terminal. For programs there is --json.")
    if tables.console().is_dumb_terminal:
        raise click.UsageError("--watch needs a terminal that can be drawn anew, and TERM says that this one cannot.")


def watch(look: Look) -> None:
    """Draw what is seen each second; what was seen last stays on the terminal at the end.

    A server that is away for a while is told of, and waited for. On a screen of its own, where each drawing covers
    the one before it, whatever size the terminal has been given meanwhile.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the terminal is given back as it was
    console = tables.console()
    parts, at = list(look()), _clock()
    stale: list[Text] = []
    try:
        with Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                live.update(_Screenful(tables.drawn([*stale, *parts], console.width)), refresh=True)
                time.sleep(SECONDS)
                try:
                    parts, at, stale = list(look()), _clock(), []
                except (Problem, Unreachable) as error:
                    if error.exit_code != UNREACHABLE:
                        raise
                    stale = [tables.line(f"Stale since {at}: {error.message}", "yellow")]
    finally:
        tables.show(*stale, *parts)


def _clock() -> str:
    return time.strftime("%H:%M:%S")


@dataclass(frozen=True)
class _Screenful:
    """What fits the terminal, and how many lines do not."""

    whole: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.whole, options.update(height=None), pad=False)
        if (more := len(lines) - options.max_height) > 0:
            lines[-more - 1 :] = [[Segment(f"… {more + 1} more")]]
        for line in lines:
            yield from line
            yield Segment.line()
