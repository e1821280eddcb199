"""`specyard config`: write an example of the settings, and show what holds and where it comes from. No Django."""

import json
from pathlib import Path
from typing import Any

import click

from dashboard.cli import flags


@click.group("config")
def command() -> None:
    """Settings: write an example file, show what holds.

    \b
    Examples:
      specyard config init
      specyard config show
    """


@command.command("init")
@click.option("--user", "place", flag_value="user", help="For everything that this user runs.")
@click.option("--project", "place", flag_value="project", default="project", help="In this directory (the default).")
@click.option("--force", is_flag=True, help="Replace the file that is there.")
def init(place: str, force: bool) -> None:
    """Write a specyard.toml in which every setting stands as a comment.

    \b
    Examples:
      specyard config init
      specyard config init --user
    """
    from dashboard.cli.refusal import BadInput, Refused
    from dashboard.config import example, files

    path = Path(files.NAME)
    try:
        path = files.user_file() if place == "user" else files.project_file()
        example.write(path, replace=force)
    except FileExistsError:
        raise BadInput(f"{path} is there already. To replace it: --force") from None
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {path}. Take the # from what you want to change.")


@command.command("show")
@click.argument("key", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@flags.settings("--data-dir", "--config")
def show(key: str | None, as_json: bool) -> None:
    """Show each setting with its value and where that comes from; with KEY one, or one section.

    Secrets are masked.

    \b
    Examples:
      specyard config show
      specyard config show server.port
      specyard config show execution --json
    """
    from dashboard import config
    from dashboard.cli.ground import settings_in_words
    from dashboard.cli.refusal import BadInput
    from dashboard.config import showing

    with settings_in_words():
        found = config.loaded()
    try:
        rows = showing.rows(found, key or "")
    except KeyError as error:
        raise BadInput(str(error.args[0])) from None
    if as_json:
        _as_json(rows, found)
    else:
        _as_table(rows)
    for warning in [*found.warnings, *config.out_of_reach(found.config)]:
        click.echo(f"  ! {warning}", err=True)


def _as_json(rows: list[Any], found: Any) -> None:
    settings = [row.as_json() for row in rows]
    click.echo(json.dumps({"settings": settings, "files": [str(path) for path in found.files]}, indent=2))


def _as_table(rows: list[Any]) -> None:
    from dashboard.cli.tables import Column, Listing, show

    columns = (
        Column("SETTING", lambda row: row.name),
        Column("VALUE", lambda row: row.text, 90, cut=True),
        Column("FROM", lambda row: row.source, 80, cut=True),
    )
    show(Listing.of(columns, rows))
