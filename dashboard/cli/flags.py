"""Flags that stand for settings. They are stronger than variables, and child processes have them as variables."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Flag:
    """A flag, by the variable that it sets."""

    variable: str
    metavar: str
    help: str
    is_path: bool = False


FLAGS = {
    "--config": Flag("SPECYARD_CONFIG", "FILE", "Read this file instead of the user's and the project's.", True),
    "--data-dir": Flag("SPECYARD_DATA_DIR", "DIRECTORY", "Where everything is kept.", True),
    "--host": Flag("SPECYARD_HOST", "ADDRESS", "Where the pages are."),
    "--port": Flag("SPECYARD_PORT", "NUMBER", "The port of the pages; 0 takes any free one."),
    "--max-workers": Flag("MAX_WORKERS", "NUMBER", "How many workers may run, until somebody changes it on the page."),
}


def settings(*flags: str) -> Callable[[Command], Command]:
    """Give a command these flags. It need not look at them: whoever loads the configuration sees what they say."""

    def decorate(command: Command) -> Command:
        for name in reversed(flags):
            flag = FLAGS[name]
            option = click.option(name, metavar=flag.metavar, help=flag.help, expose_value=False, callback=_note)
            command = option(command)
        return command

    return decorate


def _note(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    from dashboard import config
    from dashboard.cli.ground import settings_in_words

    name = parameter.opts[0]
    flag = FLAGS[name]
    if flag.is_path and value:
        value = _absolute(value)
    with settings_in_words():
        config.set_flag(name, flag.variable, value)


def _absolute(path: str) -> str:
    """For child processes, which may be elsewhere."""
    from dashboard.cli.refusal import BadInput

    try:
        return os.path.abspath(os.path.expanduser(path))
    except FileNotFoundError as error:
        raise BadInput(f"The working directory is gone, so {path} means nothing.") from error
