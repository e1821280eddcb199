"""`specyard up`: everything on this machine, in the foreground."""

import click


@click.command("up")
def command() -> None:
    """Start everything on this machine and print a link to sign in.

    Runs until Ctrl-C: the launcher of runners, a node, the web server, and a Valkey unless REDIS_URL names a Redis.
    The data is in SPECYARD_DATA_DIR; DATABASE_URL may name a PostgreSQL.

    \b
    Examples:
      specyard up
      SPECYARD_PORT=0 SPECYARD_DATA_DIR=/tmp/yard specyard up
    """
    from dashboard.cli.services import Services

    Services(with_web=True).run()
