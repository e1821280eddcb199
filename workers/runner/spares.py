"""Runners that wait for their order, so that a start needs no fork: one in quiet times, more after a busy one."""

import logging
import socket
from collections.abc import Callable

from workers.runner.child import RunnerProcess
from workers.runner.orders import Start

log = logging.getLogger("specyard.launcher")

# Seconds of quiet before a spare runner is forked: not while the one that took its place is beginning.
REFILL_DELAY = 0.01
# Seconds of quiet after which one spare runner is enough, and how many are kept until then.
TRIM_DELAY = 2.0
MOST_SPARES = 8


class Spares:
    """The launcher's spare runners. `let_go` closes, in a forked child, what is the launcher's."""

    def __init__(self, let_go: Callable[[], None]) -> None:
        self._let_go = let_go
        self._waiting: list[RunnerProcess] = []
        self._leaving: list[RunnerProcess] = []  # told to end
        self._wanted = True

    def runner_for(self, order: Start, listener: socket.socket) -> RunnerProcess:
        """A runner that has this order: a spare one, else a new fork."""
        self._wanted = True
        while self._waiting:
            spare = self._waiting.pop()
            try:
                spare.give(order, listener)
                return spare
            except OSError as error:
                log.warning("the spare runner %d is gone: %s", spare.pid, error)
                self._dismiss(spare)
        return RunnerProcess(self._let_go, (order, listener))

    def add(self, process: RunnerProcess) -> None:
        """Take back a runner whose run is over."""
        self._waiting.append(process)
        self._keep(MOST_SPARES)

    @property
    def patience(self) -> float | None:
        """How long all must be quiet before `settle` is due; None when it is not."""
        if not self._waiting:
            return REFILL_DELAY if self._wanted else None
        return TRIM_DELAY if len(self._waiting) > 1 else None

    def settle(self) -> None:
        """All is quiet: have one. Where its fork fails it is not tried again before the next start."""
        self._wanted = False
        if not self._waiting:
            self._waiting.append(RunnerProcess(self._let_go))
        self._keep(1)

    def bury(self) -> list[int]:
        """Take note of those that ended. Gives the pids of the living, those that were told to end among them."""
        for spare in [spare for spare in self._waiting if spare.has_ended()]:
            self._waiting.remove(spare)
            spare.channel.close()
        self._leaving = [spare for spare in self._leaving if not spare.has_ended()]
        return [spare.pid for spare in (*self._waiting, *self._leaving)]

    def close(self) -> None:
        """Close the channels: in the launcher all of them end by that, in a forked child it only lets go."""
        for spare in self._waiting:
            spare.channel.close()

    def _keep(self, count: int) -> None:
        while len(self._waiting) > count:
            self._dismiss(self._waiting.pop(0))

    def _dismiss(self, spare: RunnerProcess) -> None:
        spare.channel.close()
        self._leaving.append(spare)
