"""Bells that ring after a commit: the channel layer, a node's Celery queue, the wish flags.

Every bell is best effort. Whoever hears one reads the database; a bell that is lost costs a moment. Only what a node
accepts for itself is handed to its own threads as it was written: each of their writes carries the epoch all the same.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import redis
from celery import current_app
from channels.layers import get_channel_layer
from django.conf import settings
from kombu.exceptions import KombuError

logger = logging.getLogger(__name__)

EVENTS_GROUP = "specyard.events"
CHANNEL_PREFIX = "specyard"  # as in settings.CHANNEL_LAYERS
WISH_SECONDS = 24 * 3600
BELL_TIMEOUT = 0.5


@cache
def _client(url: str) -> redis.Redis:
    pool = redis.ConnectionPool.from_url(url, socket_timeout=BELL_TIMEOUT, socket_connect_timeout=BELL_TIMEOUT)
    return redis.Redis(connection_pool=pool)


def client() -> redis.Redis:
    """The Redis client of this process, for all its threads; with short timeouts."""
    return _client(settings.SPECYARD_REDIS)


def ring(bell: Callable[[], object]) -> None:
    """Ring a bell; one that Redis or the broker does not hear is logged, never raised."""
    try:
        bell()
    except (redis.RedisError, KombuError, OSError) as error:
        logger.debug("A bell was not heard: %s", error)


def events_changed(seq: int) -> None:
    """Tell every web process that the outbox reaches to `seq`.

    This is what RedisPubSubChannelLayer.group_send does, without an event loop: from threads `async_to_sync`
    would open a connection per message.
    """
    layer = get_channel_layer()
    message = layer.serialize({"type": "events.changed", "seq": seq})
    client().publish(f"{CHANNEL_PREFIX}__group__{EVENTS_GROUP}", message)


def wish_changed(worker_id: int, wish: str) -> None:
    """Raise the flag that the owner of the worker reads several times a second.

    The owner looks at the worker's rows when the flag has another value than before, whatever that value is.
    """
    client().set(wish_key(worker_id), wish, ex=WISH_SECONDS)


def wish_key(worker_id: int) -> str:
    return f"specyard:wish:{worker_id}"


_drivers: dict[str, Callable[[Any], object]] = {}


def drive_here(node: str, drive: Callable[[Any], object]) -> None:
    """This process is the node's: for a worker that it accepts itself, `drive` is called instead of a message."""
    _drivers[node] = drive


def driver_here(node: str) -> Callable[[Any], object] | None:
    """What begins to drive a worker of the node, if this process is the node's."""
    return _drivers.get(node)


def land(node: str, landing_id: int) -> None:
    """Have the node merge or discard a branch."""
    current_app.send_task("workers.land", args=(landing_id,), queue=f"node.{node}", retry=False)


def fly_canary(node: str) -> None:
    """Send the node a message that proves, when it arrives, that the node takes messages."""
    current_app.send_task("workers.canary", queue=f"node.{node}", retry=False)


def run_worker(node: str, worker_id: int, epoch: int) -> None:
    """Have another process, the node's, claim the worker."""
    current_app.send_task("workers.run_worker", args=(worker_id, epoch), queue=f"node.{node}", retry=False)
