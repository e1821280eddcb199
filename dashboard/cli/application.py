"""Django inside a command: imported only when it is needed, and its refusals as sentences."""

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dashboard.cli.refusal import Refused

# What the node and the web server import anyway. Daphne itself is missing because it makes an event loop.
SHARED = (
    "autobahn.twisted.websocket",
    "billiard.connection",
    "billiard.pool",
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.app.routes",
    "celery.app.trace",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "celery.fixups.django",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.strategy",
    "channels_redis.pubsub",
    "kombu.matcher",
    "kombu.pidbox",
    "kombu.transport.redis",
    "twisted.internet.asyncioreactor",
    "twisted.internet.endpoints",
    "twisted.web.http",
)
SHARED_WITH_DJANGO = (
    "dashboard.asgi",
    "django.contrib.messages.storage.fallback",
    "django.contrib.sessions.serializers",
    "django.db.models.sql.compiler",
    "workers.maintenance",
)
SPARED = "OpenSSL"  # Twisted does without, which costs us nothing (we speak no TLS ourselves) and saves 8 MB


def load_launcher() -> None:
    """Import what the launcher needs, before it is forked. No Django."""
    from workers.runner import executors, launcher  # noqa: F401

    executors.registry()
    gc.collect()
    gc.freeze()


def load() -> None:
    """Set Django up in this process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    os.environ["CELERY_SKIP_CHECKS"] = "true"  # Django's checks in every node would cost 6 MB
    import django

    django.setup()


def import_servers() -> None:
    """Import the libraries of node and web, without pyOpenSSL; whoever needs that later finds it."""
    spare = SPARED not in sys.modules
    if spare:
        sys.modules[SPARED] = None  # type: ignore[assignment]  # an import of it raises ImportError
    for name in SHARED:
        importlib.import_module(name)
    if spare:
        del sys.modules[SPARED]


def load_to_share() -> None:
    """Import what node and web need, so that their forks begin at once and share its memory (40 MB)."""
    gc.disable()
    import_servers()
    load()
    for name in SHARED_WITH_DJANGO:
        importlib.import_module(name)
    from django.urls import get_resolver

    from dashboard.celery import app

    assert get_resolver().url_patterns
    app.loader.import_default_modules()
    app.finalize()
    gc.enable()
    gc.collect()
    gc.freeze()


@contextmanager
def database() -> Iterator[None]:
    """Turn what the database refuses into Refused, and leave no connection open."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db import Error, connections

    try:
        yield
    except (Error, ImproperlyConfigured, OSError) as error:
        reason = str(error).strip() or type(error).__name__
        raise Refused(f"The database cannot be used: {reason}\nDATABASE_URL says which one it is.") from error
    finally:
        connections.close_all()
