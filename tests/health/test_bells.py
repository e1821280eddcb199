"""Bells ring after a commit, while somebody waits for the answer: none of them may hold that up."""

import time
from collections.abc import Callable

import pytest

from tests.support.valkey import Valkey
from workers import publisher

MOST = 4 * publisher.BELL_TIMEOUT
BELLS: list[Callable[[], None]] = [
    lambda: publisher.events_changed(1),
    lambda: publisher.wish_changed(1, "stop"),
    lambda: publisher.run_worker("somewhere", 1, 1),
    lambda: publisher.land("somewhere", 1),
]


@pytest.mark.parametrize("bell", BELLS)
@pytest.mark.parametrize("is_connected", [False, True])
def test_a_redis_that_takes_connections_and_is_silent_holds_nobody_up(
    valkey: Valkey, bell: Callable[[], None], is_connected: bool
) -> None:
    if is_connected:
        publisher.ring(bell)
    with valkey.frozen():
        begun = time.monotonic()
        publisher.ring(bell)
        assert time.monotonic() - begun < MOST
    valkey.kill()
    valkey.start()
    publisher.ring(publisher.client().ping)  # what is left of the connections before is thrown away
    bell()
