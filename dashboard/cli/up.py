"""`specyard up`: everything on this machine, in the foreground."""

import click

from dashboard.cli import flags


@click.command("up")
@flags.settings("--host", "--port", "--data-dir", "--max-workers", "--config")
def command() -> None:
    """Start everything on this machine and print a link to sign in.

    Runs until Ctrl-C: the launcher of runners, a node, the web server, and a Valkey unless REDIS_URL names a Redis.
    Settings come from flags, variables and specyard.toml; `specyard config show` tells which.

    \b
    Examples:
      specyard up
      specyard up --port 0 --data-dir /tmp/yard
      MAX_WORKERS=3 specyard up --config yard.toml
    """
    from dashboard.cli.services import Services

    Services(with_web=True).run()
