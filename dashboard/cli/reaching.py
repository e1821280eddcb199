"""The options that every command has which calls the API: whose it calls, and how it answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click

from dashboard.cli import flags
from dashboard.cli.calling import Api
from dashboard.cli.refusal import Refused

STRANGE = "What {where} answers makes no sense to this version ({error}). Is it a Specyard, and of the same version?"


def reaches(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the API as its first argument: that of --server, else the one on the local database."""

    @flags.settings("--data-dir", "--config")
    @click.option(
        "--token-file",
        metavar="FILE",
        envvar="SPECYARD_TOKEN_FILE",
        type=click.Path(path_type=Path),
        help="A file with the token, which only you may read; else SPECYARD_TOKEN.",
    )
    @click.option(
        "--server",
        metavar="URL",
        envvar="SPECYARD_SERVER",
        default="",
        help="Ask this server (SPECYARD_SERVER); without, the database of this machine.",
    )
    @wraps(function)
    def reaching(*given: Any, server: str, token_file: Path | None, **more: Any) -> Any:
        with reached(server, token_file) as api:
            return function(api, *given, **more)

    return reaching


@contextmanager
def reached(server: str, token_file: Path | None) -> Iterator[Api]:
    """The API of the server, or without one that on the local database. Raises Refused."""
    if server:
        from dashboard.cli import remote

        there = remote.Remote(server, remote.token(token_file))
        try:
            yield there
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise Refused(STRANGE.format(where=there.where, error=f"{type(error).__name__}: {error}")) from error
        return
    from dashboard.cli import local

    with local.reached() as api:
        yield api


def as_json(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --json."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")(function)


def tell_json(document: Any) -> None:
    """Write the document. In ASCII: whatever its texts hold, a terminal sees no control character."""
    click.echo(json.dumps(document, indent=2))
