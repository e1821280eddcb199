"""The channel layer, without its polling.

RedisPubSubChannelLayer looks for messages ten times a second, which costs about 60 ms of CPU a minute in an idle
web process, and logs a trace every second while Redis is away. This one waits in the read and says it once.
"""

import asyncio
import logging
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer, RedisSingleShardConnection
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

SUBSCRIBED_POLL = 0.1  # seconds between looks while there is nothing to read from
RECONNECT_DELAY = 0.5  # seconds between attempts while Redis is away


class _Shard(RedisSingleShardConnection):
    """One connection to Redis, whose reader sleeps until something arrives."""

    async def _do_receiving(self) -> None:
        away = False
        while True:
            try:
                if self._pubsub is None or not self._pubsub.subscribed:
                    await asyncio.sleep(SUBSCRIBED_POLL)
                    continue
                message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=None)
            except (RedisError, OSError) as error:
                if not away:
                    logger.warning("Redis does not answer, trying again: %s", error)
                away = True
                await asyncio.sleep(RECONNECT_DELAY)
            else:
                away = False
                self._receive_message(message)


class _LoopLayer(RedisPubSubLoopLayer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shards = [_Shard(shard.host, self) for shard in self._shards]

    async def _subscribe_to_channel(self, channel: str) -> None:
        try:
            await super()._subscribe_to_channel(channel)
        except BaseException:  # the original keeps a queue that nobody knows
            self.channels.pop(channel, None)
            raise


class WaitingPubSubLayer(RedisPubSubChannelLayer):
    """RedisPubSubChannelLayer that waits for messages instead of asking for them."""

    def _get_layer(self) -> RedisPubSubLoopLayer:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            super()._get_layer()  # also has the layer flushed when the loop closes
            self._layers[loop] = _LoopLayer(*self._args, **self._kwargs, channel_layer=self)
        return self._layers[loop]
