"""The two bells that make a reader of the outbox look: the channel layer, and a tick for what that has lost."""

import asyncio
import logging
from collections.abc import Callable

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from workers.publisher import EVENTS_GROUP

logger = logging.getLogger(__name__)

TICK = 1.0  # seconds; what a lost bell costs
RETRY = 1.0  # seconds until Redis is asked again
CANCEL_AGAIN = 0.1  # seconds


async def hear(ring: Callable[[], None]) -> None:
    """Ring whenever the channel layer says that something was committed; subscribe again when that failed.

    It awaits the layer for ever: a timeout around `receive()` would unsubscribe.
    """
    layer, channel, is_away = get_channel_layer(), "", False
    while True:
        try:
            channel = channel or await layer.new_channel()
            await layer.group_add(EVENTS_GROUP, channel)
            is_away = False
            while True:
                await layer.receive(channel)
                ring()
        except (RedisError, OSError) as error:
            level = logging.DEBUG if is_away else logging.WARNING  # said once
            logger.log(level, "Redis does not answer, events are up to %g s late: %s", TICK, error)
            is_away = True
            await asyncio.sleep(RETRY)


async def tick(ring: Callable[[], None], is_needed: Callable[[], object]) -> None:
    """Ring each TICK while somebody listens."""
    while True:
        await asyncio.sleep(TICK)
        if is_needed():
            ring()


async def end(tasks: "set[asyncio.Task[None]]") -> None:
    """Cancel tasks until they have ended: a connection to Redis that is just being made can swallow a cancellation."""
    pending = tasks
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN)
