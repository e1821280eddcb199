"""The ancestor of node and web: it loads what both need, prepares the database, forks them, and ends.

So the two share its memory, and `specyard up` itself never has Django in its own. They become children of `up` when
the ancestor ends. One of them that is started again later loads everything by itself.
"""

import json
import os
import select
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dashboard.cli import application, processes
from dashboard.cli.supervisor import ChildFailed, Supervisor
from workers.runner.process import become_subreaper, children_of, identity

NAME = "application"  # of the process and its log
GO = b"+"
CHECK_SECONDS = 0.1

Descendants = Mapping[str, processes.Target]


class Ancestor:
    """The ancestor as `up` sees it. It lives from `start` to `fork` or `end`."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._pid = 0

    def start(self, descendants: Descendants) -> None:
        """Start it. `descendants` is what it will fork: name, and what to run there."""
        become_subreaper()
        self._ours, theirs = socket.socketpair()
        log_of = self._supervisor.log_of
        with theirs:
            self._pid = processes.start(NAME, lambda: _be(theirs, log_of, descendants), log_of(NAME), self._let_go)
        self._answers = self._ours.makefile("rb", buffering=0)  # `select` must see what was not read yet

    def hear(self) -> dict[str, Any]:
        """What it says next: that it is loaded, then how the database is. Raises ChildFailed, StopAsked."""
        while not select.select([self._ours], [], [], CHECK_SECONDS)[0]:
            self._supervisor.check()
        return self._read()

    def fork(self) -> dict[str, int]:
        """Have it fork its descendants and end. Gives their pids; they are our children now. Raises ChildFailed."""
        self._ours.send(GO)
        pids = self._read()
        self._forget()
        return pids

    def end(self) -> None:
        """End it and what it has begun, if it lives."""
        if self._pid:
            processes.kill_session(self._pid)
            self._forget()
            known = {child.pid for child in self._supervisor.children}
            for pid in set(children_of(os.getpid())) - known:  # forked by it, in sessions of their own
                processes.kill(pid, identity(pid))

    def _let_go(self) -> None:
        self._supervisor.let_go()
        self._ours.close()

    def _forget(self) -> None:
        os.waitpid(self._pid, 0)
        become_subreaper(wanted=False)
        self._pid = 0
        self._answers.close()
        self._ours.close()

    def _read(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise ChildFailed(f"The {NAME} ended while it was starting.{self._supervisor.tail(NAME)}")
        found: dict[str, Any] = json.loads(line)
        return found


def _be(channel: socket.socket, log_of: Callable[[str], Path], descendants: Descendants) -> None:
    if descendants:
        application.load_to_share()
    else:
        application.load()
    _say(channel, {})
    _prepare(channel)
    if channel.recv(1) == GO:  # else `up` is gone
        _say(channel, _fork(descendants, log_of, channel.close))


def _say(channel: socket.socket, what: Mapping[str, Any]) -> None:
    channel.sendall(json.dumps(what).encode() + b"\n")


def _prepare(channel: socket.socket) -> None:
    """Prepare the database in a fork: what that loads and leaves behind is not for node and web."""
    pid = os.fork()
    if pid == 0:
        from dashboard.cli import prepare

        _say(channel, prepare.report())
        os._exit(0)
    if os.waitpid(pid, 0)[1] != 0:
        raise SystemExit(1)


def _fork(descendants: Descendants, log_of: Callable[[str], Path], let_go: Callable[[], None]) -> dict[str, int]:
    pids: dict[str, int] = {}
    try:
        for name, run in descendants.items():
            pids[name] = processes.start(name, run, log_of(name), let_go)
    except OSError:
        for pid in pids.values():
            processes.kill(pid, identity(pid))
        raise
    return pids
