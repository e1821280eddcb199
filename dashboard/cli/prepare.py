"""What the database needs before anything runs on it: its migrations, a first account, and a link to sign in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from dashboard import config, schema
from dashboard.cli import application
from dashboard.cli.refusal import Refused
from queue_app import dispatch
from queue_app.models import Yard

MIGRATION_LOCK = 7_370_656_379  # any number that no other program uses for advisory locks in this database


def prepare() -> dict[str, str]:
    """Bring the database up to date. Gives what was done and the path of a new sign-in link.

    Raises django.db.Error when the database cannot be reached or refuses.
    """
    from dashboard import signin

    with _one_at_a_time():
        count = _migrate()
        _settle_limit()
        link = signin.create_link(signin.owner())
    return {"database": f"{connection.display_name}, {_migrations(count)}", "link": link}


def report() -> dict[str, str]:
    """Prepare the database and give what came out: {"database", "link"} or {"error"}."""
    try:
        with application.database():
            return prepare()
    except Refused as refusal:
        return {"error": refusal.message}
    except OSError as error:
        return {"error": str(error)}


def bring_up_to_date() -> int:
    """Apply the migrations that are missing; gives how many. Raises django.db.Error."""
    with _one_at_a_time():
        return _migrate()


def _migrate() -> int:
    missing = len(schema.missing(connection))
    if connection.vendor == "sqlite":  # accounts and sessions, in a directory that may be open to others
        Path(str(connection.settings_dict["NAME"])).chmod(0o600)
    if missing:
        call_command("migrate", verbosity=0, interactive=False)
    return missing


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let no two processes migrate at once. An SQLite file has one host, whose `up` holds the lock already."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])


def _settle_limit() -> None:
    """The limit is made at the first start, from the settings. Given as a flag, it counts at every start."""
    Yard.current()
    found = config.loaded()
    if found.source_of("queue.max_workers").kind == "flag":
        dispatch.set_limit(found.config.max_workers, by="specyard up")


def _migrations(count: int) -> str:
    return f"{count} migrations applied" if count else "up to date"
