"""`specyard sign-in`: another link, when the one of `specyard up` was used or is too old."""

import click

from dashboard.cli import flags


@click.command("sign-in")
@flags.settings("--data-dir", "--config")
def command() -> None:
    """Print another link that signs the owner in, once and within 10 minutes.

    Whoever may read the data directory or the database may sign in.

    \b
    Example:
      specyard sign-in
    """
    from dashboard.cli import application, ground, state

    config = ground.configuration()
    application.load()
    from dashboard import signin

    with application.database():
        path = signin.create_link(signin.owner())
    address = state.read(config.data / "up.json").address or ground.shown(config.host, config.port)
    click.echo(address + path)
