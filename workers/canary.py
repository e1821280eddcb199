"""Whether this node's Celery takes messages from its queue: now and then one is sent through it that does nothing.

The node's plain thread has it sent, the task says that it has arrived, and the next heartbeat writes when that was. Any
other message that arrives proves as much, so a node that gets work this way needs no canary.
"""

import logging
import threading
import time
from functools import partial

from workers import publisher

logger = logging.getLogger(__name__)

EVERY = 20.0  # seconds without any message, after which a canary is sent
PATIENCE = 3  # canaries in a row that nobody heard, after which they are sent RARELY: a queue that nobody reads grows
RARELY = 60.0


class Canary:
    """The canaries of one process."""

    def __init__(self) -> None:
        self._heard = threading.Event()
        self._due = 0.0
        self._unheard = 0
        self._sender: threading.Thread | None = None

    def fly(self, node: str) -> bool:
        """Have a canary sent to the node's queue, if one is due. Gives whether one was.

        Nobody waits for the broker: a Redis that takes connections and never answers holds up a thread of its own.
        """
        now = time.monotonic()
        if now < self._due or (self._sender is not None and self._sender.is_alive()):
            return False
        self._unheard += 1
        self._due = now + (EVERY if self._unheard <= PATIENCE else RARELY)
        self._sender = threading.Thread(target=_send, args=(node,), name="canary", daemon=True)
        self._sender.start()
        return True

    def arrive(self) -> None:
        """A message has arrived from the node's queue."""
        self._unheard, self._due = 0, time.monotonic() + EVERY
        self._heard.set()

    @property
    def has_arrived(self) -> bool:
        """Whether one has arrived since it was last asked to `take`."""
        return self._heard.is_set()

    def take(self) -> bool:
        """The same; the next one begins anew."""
        heard = self._heard.is_set()
        if heard:  # or one that arrives right now would be forgotten
            self._heard.clear()
        return heard


def _send(node: str) -> None:
    try:
        publisher.ring(partial(publisher.fly_canary, node))
    except Exception:
        logger.exception("A canary could not be sent")  # the next one follows


canary = Canary()
