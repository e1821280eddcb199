"""The launcher: parent of a node's runners. One thread, blocking; a start is a fork, a death is cleaned up at once."""

import gc
import json
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from workers.runner import cleanup, loglines
from workers.runner.child import RunnerProcess
from workers.runner.executors import registry
from workers.runner.orders import Destroy, Order, Ping, Quit, Start, parse
from workers.runner.process import (
    ON_LINUX,
    become_subreaper,
    created,
    identity,
    living_runner,
    read_json,
    send,
    write_json,
)
from workers.runner.sockets import listen
from workers.runner.spares import Spares

log = logging.getLogger("specyard.launcher")

LINE_LIMIT = 64 * 1024
# How long a destroy may take before it says that something is left.
DESTROY_LIMIT = 8.0
# Runs that ended by themselves and left nothing: so many are remembered, so that nobody looks for their traces.
RUNS_REMEMBERED = 1000


class Overtaken(Exception):
    """The runner obeys a higher epoch."""


class Launched:
    """A runner that lives: our child, with its process, or the child of a launcher before us."""

    def __init__(self, pid: int, directory: str, process: RunnerProcess | None = None) -> None:
        self.pid = pid
        self.directory = directory
        self.process = process
        self.created = created(pid) or 0.0
        self.identity = identity(pid)
        self.watch = -1 if process or not ON_LINUX else os.pidfd_open(pid)

    @property
    def ours(self) -> bool:
        return self.process is not None

    def is_alive(self) -> bool:
        """Whether this very process lives, whatever has become of its run."""
        return bool(self.identity) and identity(self.pid) == self.identity


class Launcher:
    """Serves one Unix socket until `quit` or a signal; leaves the runners alone when it ends."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.runs: dict[str, Launched] = {}
        self._register = Path(path + ".runs")
        self._selector = selectors.DefaultSelector()
        self._listener = listen(path)
        self._wake_in, self._wake_out = socket.socketpair()
        self._connections: dict[socket.socket, bytearray] = {}
        self._spares = Spares(self._let_go)
        self._ended: dict[str, None] = {}  # runs that are over and have left nothing, the latest last
        self._over = False
        self._changed = False  # whether the register of runs is to be written

    def serve(self) -> None:
        """Answer requests and clean up after runners."""
        become_subreaper()
        self._catch_signals()
        self._know_again()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_in, selectors.EVENT_READ, self._woken)
        gc.collect()
        gc.freeze()  # what is here already is shared with every runner, not copied by its collector
        log.info("launcher %d listens on %s", os.getpid(), self.path)
        while not self._over:
            events = self._selector.select(self._spares.patience)
            for key, _ in events:
                self._try(partial(key.data, key.fileobj))
            if self._changed:
                self._try(self._remember)
            if not events:
                self._try(self._spares.settle)
        self._spares.close()
        self._listener.close()
        Path(self.path).unlink(missing_ok=True)

    def _try(self, do: Callable[[], object]) -> None:
        """Whatever goes wrong with one thing, the launcher goes on: it is the parent of every runner."""
        try:
            do()
        except Exception:
            log.exception("the launcher goes on after this")
            time.sleep(0.05)  # an event that comes back at once must not take a whole core

    def _catch_signals(self) -> None:
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        signal.set_wakeup_fd(self._wake_out.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, *_: object) -> None:
        self._over = True

    # Connections

    def _accept(self, _: socket.socket) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        self._connections[connection] = bytearray()
        self._selector.register(connection, selectors.EVENT_READ, self._readable)

    def _readable(self, connection: socket.socket) -> None:
        buffer = self._connections[connection]
        try:
            data = connection.recv(LINE_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        buffer += data
        while (end := buffer.find(b"\n")) >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            if not self._reply(connection, self.answer(line)):
                return
        if not data or len(buffer) > LINE_LIMIT:
            self._drop(connection)

    def _reply(self, connection: socket.socket, reply: dict[str, Any]) -> bool:
        """Send one line. A client that does not read is dropped: nobody may hold the launcher up."""
        data = json.dumps(reply, separators=(",", ":")).encode() + b"\n"
        try:
            sent = connection.send(data)
        except OSError:
            sent = 0
        if sent < len(data):
            self._drop(connection)
        return sent == len(data)

    def _drop(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._connections[connection]
        connection.close()

    # Requests

    def answer(self, line: bytes) -> dict[str, Any]:
        """The reply to one line, whatever it holds."""
        try:
            return {"ok": True, **self._do(parse(line))}
        except Overtaken as error:
            return {"ok": False, "fenced": True, "error": str(error)}
        except (OSError, ValueError) as error:
            log.error("%s: %s", line.decode(errors="replace")[:200], error)
            return {"ok": False, "error": str(error)}

    def _do(self, request: Order) -> dict[str, Any]:
        match request:
            case Start():
                return self._start(request)
            case Destroy():
                return {"killed": self._destroy(request)}
            case Quit():
                self._over = True
                return {}
            case Ping():
                self._bury()
                runs = {name: {"pid": run.pid, "created": run.created} for name, run in self.runs.items()}
                return {"pid": os.getpid(), "runs": runs}

    def _start(self, request: Start) -> dict[str, Any]:
        self._bury()
        known = self.runs.get(request.run) or self._adopt(request.run, request.directory)
        if known is None:
            Path(request.directory).mkdir(mode=0o700, parents=True, exist_ok=True)
            with listen(request.socket) as listener:
                process = self._spares.runner_for(request, listener)
            known = self.runs[request.run] = Launched(process.pid, request.directory, process)
            self._ended.pop(request.run, None)
            self._changed = True
            log.info("run %s: runner %d started", request.run, known.pid)
        return {"pid": known.pid, "created": known.created}

    def _let_go(self) -> None:
        """In the forked child: close everything that is the launcher's."""
        self._selector.close()
        for open_socket in (self._listener, self._wake_in, self._wake_out, *self._connections):
            open_socket.close()
        for run in self.runs.values():
            if run.watch >= 0:
                os.close(run.watch)
            if run.process:
                run.process.channel.close()
        self._spares.close()

    def _destroy(self, request: Destroy) -> list[int]:
        deadline = time.monotonic() + DESTROY_LIMIT
        self._take_back()
        run = self.runs.get(request.run)
        if run is None and request.run in self._ended:
            return []
        directory = request.directory or (run.directory if run else "")
        if request.epoch is not None:
            self._check_epoch(request.epoch, directory, run.pid if run else 0)
        killed: list[int] = []
        if run and (run.ours or run.is_alive()):
            killed += cleanup.end_runner(run.pid, request.run, directory, deadline)
            self._strike(request.run, run)
        elif directory:
            killed += cleanup.end_foreign_runner(request.run, directory, deadline)
        if directory and not (run and run.ours and ON_LINUX):
            killed += cleanup.end_marked(request.run, directory, deadline)
        self._bury()
        log.info("run %s: destroyed %s", request.run, killed or "(nothing was left)")
        return killed

    def _check_epoch(self, epoch: int, directory: str, pid: int) -> None:
        """Raise Overtaken for a runner with a higher epoch. It is stopped meanwhile, so that it obeys nobody new."""
        if pid:
            send(pid, signal.SIGSTOP)
        try:
            highest = cleanup.highest_epoch(directory)
            if highest > epoch:
                raise Overtaken(f"the runner obeys epoch {highest}, which is higher than {epoch}")
        except BaseException:
            if pid:
                send(pid, signal.SIGCONT)
            raise

    # Births and deaths that nobody told of

    def _woken(self, _: socket.socket) -> None:
        try:
            while self._wake_in.recv(4096):
                pass
        except BlockingIOError:
            pass
        self._bury()

    def _bury(self) -> None:
        """Take note of runners that ended, and end at once what they left."""
        self._take_back()
        for name, run in list(self.runs.items()):
            if self._has_ended(run):
                self._forget(name, run)
        known = [run.pid for run in self.runs.values() if run.ours] + self._spares.bury()
        killed = cleanup.end_strays(known, self._soon())
        if killed:
            log.warning("ended strays %s", killed)

    def _take_back(self) -> None:
        """Runners whose runs are over, with nothing left of them, are spare ones again."""
        for name, run in list(self.runs.items()):
            if run.process and run.process.is_done():
                del self.runs[name]
                self._changed = True
                self._spares.add(run.process)
                self._ended[name] = None
                log.info("run %s: over, runner %d is spare", name, run.pid)
        while len(self._ended) > RUNS_REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def _has_ended(self, run: Launched) -> bool:
        if not run.ours:
            return not run.is_alive()
        try:
            done, status = os.waitpid(run.pid, os.WNOHANG)
        except ChildProcessError:
            return True
        if done:
            log.info("runner %d ended with %d", run.pid, os.waitstatus_to_exitcode(status))
        return done != 0

    def _forget(self, name: str, run: Launched) -> None:
        """A runner has ended. What it left lands here, unless it is not ours or nothing is a subreaper."""
        self._strike(name, run)
        if not (run.ours and ON_LINUX):
            killed = cleanup.end_marked(name, run.directory, self._soon())
            log.info("run %s: runner %d ended, killed %s", name, run.pid, killed or "nothing")

    def _strike(self, name: str, run: Launched) -> None:
        del self.runs[name]
        self._changed = True
        if run.watch >= 0:
            self._selector.unregister(run.watch)
            os.close(run.watch)
        if run.process:
            run.process.channel.close()

    def _soon(self) -> float:
        return time.monotonic() + DESTROY_LIMIT

    # Runners of a launcher before this one

    def _remember(self) -> None:
        self._changed = False
        write_json(self._register, {name: run.directory for name, run in self.runs.items()})

    def _know_again(self) -> None:
        for name, directory in (read_json(self._register) or {}).items():
            if isinstance(directory, str) and self._adopt(name, directory) is None:
                self._try(partial(cleanup.end_marked, name, directory, self._soon()))  # it died meanwhile
        self._changed = True

    def _adopt(self, name: str, directory: str) -> Launched | None:
        """Watch a runner that a launcher before this one started, if it lives."""
        found = living_runner(Path(directory))
        if found is None or found.get("run") != name:
            return None
        try:
            run = self.runs[name] = Launched(found["pid"], directory)
        except OSError:
            return None  # it ended this moment
        if run.watch >= 0:
            self._selector.register(run.watch, selectors.EVENT_READ, lambda _: self._bury())
        log.info("run %s: runner %d was started by a launcher before this one", name, run.pid)
        return run


def main(path: str) -> None:
    """Serve on this socket. Everything that a runner needs is imported by now, so that a start is a fork."""
    handler = logging.StreamHandler()
    handler.setFormatter(loglines.Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    registry()
    Launcher(path).serve()
