"""Django inside a command: imported only when it is needed, and its refusals as sentences."""

import gc
import importlib
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dashboard.cli.ground import settings_in_words
from dashboard.cli.refusal import Refused
from dashboard.cli.spared import spared

# What node and web server import both, besides Django. Daphne itself makes an event loop when it is imported.
SHARED = (
    "celery.app.amqp",
    "celery.app.routes",
    "channels_redis.pubsub",
    "kombu.transport.redis",
)
SHARED_WITH_DJANGO = (
    "django.db.models.sql.compiler",
    "workers.engine",
)


def load_launcher() -> None:
    """Import what the launcher needs, before it is forked. No Django."""
    import ctypes  # noqa: F401  for `prctl`, in the launcher and here

    from workers.runner import executors, launcher  # noqa: F401

    executors.registry()
    gc.collect()
    gc.freeze()


def load() -> None:
    """Set Django up in this process, unless it is: a second time would configure the logs anew."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        with settings_in_words(), spared():
            django.setup()


def load_to_share() -> None:
    """Import what node and web server both need, so that their forks share its memory."""
    gc.disable()
    with spared():
        for name in SHARED:
            importlib.import_module(name)
    load()
    for name in SHARED_WITH_DJANGO:
        importlib.import_module(name)
    from dashboard.celery import app

    app.loader.import_default_modules()
    app.finalize()
    gc.enable()
    gc.collect()
    gc.freeze()


def _user() -> str:
    """Who runs this command, as the system knows them: a variable could name anybody. A user may have but a number."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@contextmanager
def database() -> Iterator[None]:
    """Turn what the database refuses into Refused, and leave no connection open.

    What is done within is recorded as done on the command line, by the user of this machine.
    """
    from django.core.exceptions import ImproperlyConfigured
    from django.db import Error, connections

    from dashboard.audit import acting_from
    from dashboard.models import Source

    try:
        with acting_from(Source.CLI, _user()):
            yield
    except (Error, ImproperlyConfigured) as error:
        reason = str(error).strip() or type(error).__name__
        hint = "DATABASE_URL says which one it is."
        with suppress(Error):
            hint = lacking() or hint
        raise Refused(f"The database cannot be used: {reason}\n{hint}") from error
    finally:
        connections.close_all()


def lacking() -> str:
    """A sentence when the tables are not yet those of this version, else nothing. Raises django.db.Error."""
    from django.db import connection

    from dashboard import schema

    missing = len(schema.missing(connection))
    return f"The database lacks {missing} migrations of this version. `specyard up` applies them." if missing else ""
