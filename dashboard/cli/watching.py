"""A table that is drawn anew each second, until Ctrl-C."""

import time
from collections.abc import Callable, Sequence

import click
from rich.live import Live
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


def watch(look: Look) -> None:
    """Draw what is seen each second. A server that is away for a while is told of, and waited for."""
    console = tables.console()
    parts = list(look())
    with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        while True:
            live.update(tables.drawn(parts, console.width), refresh=True)
            time.sleep(SECONDS)
            parts = _seen(look, parts)


def _seen(look: Look, before: list[Listing | Text]) -> list[Listing | Text]:
    try:
        return list(look())
    except (Problem, Unreachable) as error:
        if error.exit_code != UNREACHABLE:
            raise
        if before and isinstance(before[-1], Text) and before[-1].plain.startswith("Stale since"):
            return before
        return [*before, tables.line(f"Stale since {time.strftime('%H:%M:%S')}: {error.message}", "yellow")]
