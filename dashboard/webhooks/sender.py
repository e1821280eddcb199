"""The thread of a node process that sends what is due. Nodes share the addresses: each is one node's at a time."""

import logging
import threading
import time
import uuid
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cache

from django.db import DatabaseError, connection

from dashboard.models import Webhook
from dashboard.webhooks import sending

logger = logging.getLogger(__name__)

TICK = 1.0  # seconds between two looks
IDLE_TICK = 5.0  # the same while there is no webhook
PRUNE_SECONDS = 60.0
MOST_AT_ONCE = 8  # addresses that are sent to at the same time


class Sender:
    """Looks for webhooks that have something to send, and has each of them served by one thread of a pool."""

    def __init__(self, pool: Executor | None = None) -> None:
        self.holder = uuid.uuid4().hex
        self._pool = pool or ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="webhook")
        self._lock = threading.Lock()
        self._served: set[int] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="webhooks", daemon=True)
        self._next_pruning = 0.0

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more. What is under way may end; what has not been settled then is sent again."""
        self._end.set()

    def run_once(self) -> bool:
        """One round. False when there is no webhook at all. Raises DatabaseError."""
        if not Webhook.objects.exists():
            return False
        for pk in sending.due():
            with self._lock:
                is_new = pk not in self._served
                self._served.add(pk)
            if is_new:
                self._pool.submit(self._serve, pk)
        if time.monotonic() >= self._next_pruning:
            self._next_pruning = time.monotonic() + PRUNE_SECONDS
            sending.prune()
        return True

    def _serve(self, pk: int) -> None:
        """Send everything that is due to one address."""
        try:
            while not self._end.is_set() and sending.hold(pk, self.holder):
                delivery = sending.next_delivery(pk, self.holder)
                if delivery is None:
                    break
                sending.settle(delivery, sending.attempt(delivery), self.holder)
            sending.let_go(pk, self.holder)
        except DatabaseError as error:
            logger.warning("Webhook %s waits for the database: %s", pk, error)
        except Exception:
            logger.exception("Webhook %s could not be served; it is tried again", pk)
        finally:
            with self._lock:
                self._served.discard(pk)
            connection.close()

    def _loop(self) -> None:
        pause = 0.0
        while not self._end.wait(pause):
            pause = TICK
            try:
                pause = TICK if self.run_once() else IDLE_TICK
            except DatabaseError as error:
                logger.warning("Webhooks wait for the database: %s", error)
                connection.close()
            except Exception:
                logger.exception("The sender of webhooks goes on after this")
        connection.close()


@cache
def sender() -> Sender:
    """The sender of this process."""
    return Sender()
