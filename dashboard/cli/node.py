"""`specyard node`: one machine of a fleet."""

import click

from dashboard.cli import flags


@click.command("node")
@flags.settings("--data-dir", "--config")
def command() -> None:
    """Run one machine of a fleet: a launcher of runners and a Celery that takes this node's work.

    Needs the DATABASE_URL and REDIS_URL of the fleet. Runs until Ctrl-C or TERM.

    \b
    Example:
      DATABASE_URL=postgresql://yard:secret@db/yard REDIS_URL=redis://redis:6379/0 specyard node
    """
    from dashboard.cli.services import Services

    Services(with_web=False).run()
