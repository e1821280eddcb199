"""`specyard demo`: something to run, for whoever looks at Specyard for the first time."""

from itertools import groupby
from typing import TYPE_CHECKING

import click

from dashboard.cli import flags

if TYPE_CHECKING:
    from dashboard.config import Config
    from dashboard.demo import Demo


@click.command("demo")
@flags.settings("--data-dir", "--config")
def command() -> None:
    """Make three small git repositories with two specs each, and import the specs.

    They do real work with shell, Python and git, for about two minutes at a limit of three; no network, no account.
    Done twice, it changes nothing. Specyard may run meanwhile or not.

    \b
    Example:
      specyard demo
    """
    from dashboard.cli import application, ground
    from dashboard.cli.refusal import Refused

    config = ground.configuration()
    ground.directories(config)
    application.load()
    from dashboard import demo
    from dashboard.cli import prepare

    with application.database():
        prepare.bring_up_to_date()
        try:
            made = demo.set_up(config.data / "demo")
        except demo.DemoRefused as refusal:
            raise Refused(str(refusal)) from refusal
        _tell(made, config)


def _tell(made: "Demo", config: "Config") -> None:
    """What there is, and what to press next."""
    word = "is ready" if made.is_new else "was there already; nothing has changed"
    click.echo(f"The demo {word}, in {config.data / 'demo'}:\n")
    for project, specs in groupby(made.specs, key=lambda spec: spec.project.name):
        click.echo(click.style(f"  {project}", bold=True))
        for spec in specs:
            click.echo(f"    {spec.title:<40} {spec.chunks.count()} chunks")
    click.echo("\nNext:")
    for number, step in enumerate(_next(config), start=1):
        click.echo(f"  {number}. {step}")


def _next(config: "Config") -> list[str]:
    from dashboard.cli import state

    running = state.read(config.data / "up.json")
    lives = any(child.lives for child in (running.children or {}).values())
    first = (
        f"open {running.address}/specs" if lives else "run `specyard up`, open the link that it prints, and go to Specs"
    )
    return [
        first,
        'press "Run in Background" on each of the six specs',
        "watch them on the page Workers; with the limit set to 3 there, three run and three wait",
    ]
