"""`specyard web`: only the web server."""

import click

from dashboard.cli import flags


@click.command("web")
@flags.settings("--host", "--port", "--data-dir", "--config")
def command() -> None:
    """Serve the pages of a fleet, in the foreground, and print a link to sign in.

    Brings the database up to date first. Needs the DATABASE_URL and REDIS_URL of the fleet.

    \b
    Example:
      SPECYARD_HOST=0.0.0.0 SPECYARD_ALLOWED_HOSTS=yard.example.org specyard web
    """
    from dashboard.cli import application, ground
    from dashboard.cli.report import say, step

    with step("configuration") as current:
        config = ground.configuration()
        current.detail = ground.configuration_files()
        ground.directories(config)
    with step("address") as current:
        listener = ground.listen(config)
        current.detail = ground.address(listener)
    with step("Redis") as current:
        current.detail = ground.redis_version(config.redis)
    with step("application"):
        application.load()
    from dashboard.cli import prepare, serve

    with step("database") as current, application.database():
        done = prepare.prepare()
        current.detail = done["database"]
    say(f"\nSign in (once, within 10 minutes): {ground.address(listener)}{done['link']}")
    serve.web(listener.fileno())
