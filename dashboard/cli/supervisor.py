"""Starts children, restarts what dies with back-off, ends them in order. Knows nothing of what they are."""

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dashboard.cli import processes
from workers.runner.process import identity, send

HEALTHY_SECONDS = 30.0  # a child that lived so long has not failed at once: the back-off begins anew
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
ADOPTED_POLL_SECONDS = 1.0  # the end of a process that is not our child sends us no signal
TAIL_BYTES = 2000
LOG_SECONDS = 30.0  # how often logs are looked at: they may be so much longer than LOG_BYTES


class StopAsked(Exception):
    """Somebody pressed Ctrl-C, or sent TERM or HUP."""


class ChildFailed(Exception):
    """A child ended, or was not ready in time, while its start was waited for."""


@dataclass
class Child:
    """One process that should live. `run` is called in it; pid 0 means that it does not live now."""

    name: str
    run: processes.Target
    pid: int = 0
    identity: str = ""
    adopted: bool = False  # started by an `up` before this one
    started: float = 0.0  # time.monotonic()
    failures: int = 0  # ends in a row, each soon after its start
    due: float | None = None  # when to start it again

    def delay(self) -> float:
        """Seconds until the next start after `failures` ends in a row: 0, 0.5, 1, 2, 4 … 30."""
        return 0.0 if self.failures <= 1 else min(FIRST_DELAY * 2.0 ** (self.failures - 2), LONGEST_DELAY)


class Supervisor:
    """One thread. Signals and the ends of children wake it up; else it sleeps."""

    def __init__(
        self,
        logs: Path,
        changed: Callable[[], None],
        let_go: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self.children: list[Child] = []
        self.asked = 0  # how often somebody wanted us to stop
        self._restarting = False  # only while `run` goes on
        self._logs = logs
        self._next_look = 0.0  # at the logs
        self._changed = changed
        self._let_go = let_go
        self._say = say
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)

    def catch_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_out.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # `nohup specyard up` outlives its terminal
            signal.signal(signal.SIGHUP, self._ask)

    def let_go(self) -> None:
        """In a forked child: close what is its parent's."""
        self._let_go()
        self._wake_in.close()
        self._wake_out.close()

    def log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    # Births

    def add(self, child: Child) -> Child:
        """Start a child and keep it alive from now on."""
        self.children.append(child)
        self._start(child)
        return child

    def adopt(self, child: Child, pid: int, *, ours: bool = False) -> Child:
        """Keep a child alive that lives already; `ours` when it is a child of this process."""
        child.pid, child.identity, child.adopted = pid, identity(pid), not ours
        child.started = time.monotonic()
        self.children.append(child)
        self._changed()
        return child

    def wait(self, child: Child, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()`. Raises ChildFailed when the child ends or takes too long, and StopAsked."""
        deadline = time.monotonic() + seconds
        pid = child.pid
        while not ready():
            self.check()
            self._reap()
            if child.pid != pid:
                raise ChildFailed(f"The {child.name} ended while it was starting.{self.tail(child.name)}")
            if time.monotonic() > deadline:
                late = f"The {child.name} was not ready after {seconds:.0f} s."
                raise ChildFailed(late + self.tail(child.name))
            self._sleep(0.005)

    def check(self) -> None:
        """Raise StopAsked when somebody wants us to stop."""
        if self.asked:
            raise StopAsked

    def tail(self, name: str) -> str:
        """The last lines of a child's log, as the end of a message."""
        log = self.log_of(name)
        lines = log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").splitlines()[-8:] if log.exists() else []
        return "".join(f"\n    {line}" for line in [f"Its log, {log}:", *lines])

    # Life

    def run(self) -> None:
        """Restart what dies until somebody asks us to stop."""
        self._restarting = True
        for child in self.children:
            if not child.pid:
                child.due = time.monotonic()
        while not self.asked:
            self._reap()
            self._start_due()
            self._shorten_logs()
            self._sleep(self._until_next())
        self._restarting = False

    def _start(self, child: Child) -> None:
        child.due, child.adopted = None, False
        child.started = time.monotonic()
        child.pid = processes.start(child.name, child.run, self.log_of(child.name), self.let_go)
        child.identity = identity(child.pid)
        self._changed()

    def _start_due(self) -> None:
        for child in self.children:
            if child.due is None or child.due > time.monotonic():
                continue
            try:
                self._start(child)
            except OSError as error:  # no memory for a fork, for example
                self._bury(child, f"cannot be started: {error.strerror}")

    def _shorten_logs(self) -> None:
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOG_SECONDS
        for child in self.children:
            try:
                processes.shorten(self.log_of(child.name))
            except OSError as error:  # a full disk, for example
                self._say(f"  ! {self.log_of(child.name)} grows and cannot be put aside: {error.strerror}.")

    def _until_next(self) -> float:
        times = [self._next_look, *(child.due for child in self.children if child.due is not None)]
        if any(child.adopted and child.pid for child in self.children):
            times.append(time.monotonic() + ADOPTED_POLL_SECONDS)
        return max(0.0, min(times) - time.monotonic())

    def _reap(self) -> None:
        for child in self.children:
            if child.pid and (how := _how_it_ended(child)):
                self._bury(child, how)

    def _bury(self, child: Child, how: str) -> None:
        lived = time.monotonic() - child.started
        child.failures = 1 if lived >= HEALTHY_SECONDS else child.failures + 1
        child.pid, child.identity = 0, ""
        if self._restarting:
            delay = child.delay()
            child.due = time.monotonic() + delay
            when = f"in {delay:g} s" if delay else "now"
            self._say(f"  ! {child.name} {how}; it starts again {when}. Its log: {self.log_of(child.name)}")
        self._changed()

    # Deaths

    def end(self, child: Child, number: int, seconds: float) -> None:
        """Signal a child and wait; after `seconds`, or when somebody asks twice, it is killed with its session."""
        deadline = time.monotonic() + seconds
        self._reap()
        if child.pid:
            send(child.pid, number)
        while child.pid and time.monotonic() < deadline and self.asked < 2:
            self._sleep(0.05)
            self._reap()
        if child.pid:
            self._kill(child)
        child.due = None

    def _kill(self, child: Child) -> None:
        deadline = time.monotonic() + processes.GONE_SECONDS
        processes.kill_session(child.pid)
        while child.pid and time.monotonic() < deadline:
            self._sleep(0.01)
            self._reap()

    def _ask(self, *_: object) -> None:
        self.asked += 1

    def _sleep(self, seconds: float) -> None:
        select.select([self._wake_in], [], [], seconds)
        try:
            while self._wake_in.recv(4096):
                pass
        except BlockingIOError:
            return


def _how_it_ended(child: Child) -> str:
    """In words; empty while it lives."""
    if child.adopted:
        return "" if identity(child.pid) == child.identity else "ended"
    try:
        pid, status = os.waitpid(child.pid, os.WNOHANG)
    except ChildProcessError:
        return "ended"
    if pid == 0:
        return ""
    code = os.waitstatus_to_exitcode(status)
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
