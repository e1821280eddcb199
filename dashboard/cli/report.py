"""The start-up on the terminal: one line per step, with a tick and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click


@dataclass
class Step:
    """A step that goes on. `detail` is shown behind its name when it is done."""

    name: str
    detail: str = ""


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Report a step when it is done, or that it failed."""
    begun = time.monotonic()
    current = Step(name)
    try:
        yield current
    except BaseException:
        _line(click.style("✗", fg="red"), current, time.monotonic() - begun)
        raise
    _line(click.style("✓", fg="green"), current, time.monotonic() - begun)


def say(text: str) -> None:
    """A sentence on the terminal. A terminal that is gone is no reason to end."""
    try:
        click.echo(text)
    except OSError:
        return


def _line(mark: str, current: Step, seconds: float) -> None:
    duration = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    say(f"  {mark} {current.name:<15}{duration:>8}  {click.style(current.detail, dim=True)}".rstrip())
