"""Which workers a process drives, so that it takes none up twice and lets all go before it ends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Owned:
    """The workers that this process drives, and whether it is about to end."""

    def __init__(self) -> None:
        self._epochs: dict[int, int] = {}
        self._waiting: set[int] = set()  # for a thread
        self._lock = threading.Lock()
        self._empty = threading.Event()
        self._empty.set()
        self.draining = threading.Event()  # this process is about to end
        self.superseded = threading.Event()  # another process speaks for this node

    def expect(self, worker_id: int) -> bool:
        """Note that a thread will soon hold the worker. False when one does, or will, already."""
        with self._lock:
            if worker_id in self._epochs or worker_id in self._waiting:
                return False
            self._waiting.add(worker_id)
            return True

    @contextmanager
    def holding(self, worker_id: int, epoch: int) -> Iterator[bool]:
        """Within: the worker counts as driven here. Gives False when it is already, or no new work is taken."""
        with self._lock:
            self._waiting.discard(worker_id)
            free = worker_id not in self._epochs and not self.draining.is_set() and not self.superseded.is_set()
            if free:
                self._epochs[worker_id] = epoch
                self._empty.clear()
        try:
            yield free
        finally:
            if free:
                self._let_go(worker_id)

    def _let_go(self, worker_id: int) -> None:
        with self._lock:
            del self._epochs[worker_id]
            if not self._epochs:
                self._empty.set()

    def all(self) -> dict[int, int]:
        """Worker → epoch."""
        with self._lock:
            return dict(self._epochs)

    def taken(self) -> set[int]:
        """The workers that are driven here or wait for a thread."""
        with self._lock:
            return self._waiting | self._epochs.keys()

    def wait_until_empty(self, seconds: float) -> bool:
        """Whether every engine has let go within the time."""
        return self._empty.wait(seconds)
