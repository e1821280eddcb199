"""docs/cli.md, written from the commands: `python -P -m dashboard.cli.document`."""

from collections.abc import Iterator
from pathlib import Path

import click

from dashboard.cli import exits, main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
WIDTH = 100
TEMPLATE = Path(__file__).with_suffix(".md")


def page() -> str:
    """The whole page."""
    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in exits.MEANINGS.items())
    return TEMPLATE.read_text().format(codes=codes, commands="".join(_sections()))


def _sections() -> Iterator[str]:
    for path, command, context in commands():
        level = "#" * (2 + len(path))
        yield f"\n{level} specyard {' '.join(path)}\n\n```\n{command.get_help(context)}\n```\n"


def commands() -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    """Every command and every group below `specyard`, in the order in which the help names them."""
    root = click.Context(main, info_name="specyard", terminal_width=WIDTH, **main.context_settings)
    yield from _below(main, root, ())


def _below(
    group: click.Group, above: click.Context, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None  # it was listed
        context = click.Context(command, info_name=name, parent=above, terminal_width=WIDTH)
        yield (*path, name), command, context
        if isinstance(command, click.Group):
            yield from _below(command, context, (*path, name))


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"{PAGE} is written.")
