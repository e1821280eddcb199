"""The owner's ear for wishes: a Redis flag as the fast signal, the worker's row as the truth."""

import time
from dataclasses import dataclass

import redis

from workers import publisher

FLAG_SECONDS = 0.05  # between two looks at the flag
ROW_SECONDS = 1.0  # between two looks at the row, whatever the flag says


@dataclass
class Ear:
    """Says when it is time to read the wish of one worker from the database."""

    worker_id: int
    _flag: bytes | str | None = None
    _next_flag: float = 0.0
    _next_row: float = 0.0

    def heard(self) -> None:
        """Note that the row is being read now."""
        now = time.monotonic()
        self._next_row = now + ROW_SECONDS
        self._next_flag = now + FLAG_SECONDS

    def due(self) -> bool:
        """Whether the row should be read now: the flag has changed, or a second has passed since it was read."""
        now = time.monotonic()
        if now >= self._next_row:
            return True
        if now < self._next_flag:
            return False
        self._next_flag = now + FLAG_SECONDS
        return self._flag_changed(now)

    def _flag_changed(self, now: float) -> bool:
        try:
            flag = publisher.client().get(publisher.wish_key(self.worker_id))
        except redis.RedisError:
            self._next_flag = now + ROW_SECONDS  # without Redis the row alone is read
            return False
        changed, self._flag = flag != self._flag, flag
        return changed
