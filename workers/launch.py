"""The way to a runner: the node's launcher starts and destroys, a connection carries requests and journal entries."""

import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from workers.errors import Fenced, LauncherUnavailable, LaunchFailed, RunnerLost
from workers.runner import journal

LAUNCHER_SECONDS = 15.0  # a destroy waits for the last process to be gone
CONNECT_SECONDS = 5.0
CHUNK = 65536
Entry = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One incarnation of a worker's runner and where it keeps its things. `folder` is that of the worker."""

    folder: str
    incarnation: int

    @classmethod
    def named(cls, name: str) -> "Run":
        """The run with this id."""
        folder, _, incarnation = name.rpartition("-")
        return cls(folder, int(incarnation))

    @property
    def id(self) -> str:
        return f"{self.folder}-{self.incarnation}"

    @property
    def worker_id(self) -> int:
        return int(self.folder.partition("-")[0])

    @property
    def has_begun(self) -> bool:
        """Whether it was ever started on this node."""
        return self.directory.exists()

    @property
    def directory(self) -> Path:
        runs: Path = settings.SPECYARD.data / "runs"
        return runs / self.id

    @property
    def socket(self) -> Path:
        runtime: Path = settings.SPECYARD.runtime_dir
        return runtime / f"r{self.id}.sock"

    def entries(self) -> list[Entry]:
        """Everything in the journal of this run, also when its runner is dead."""
        return journal.read(self.directory / "journal.ndjson")


@dataclass
class Connection:
    """One line-by-line JSON connection over a Unix socket."""

    sock: socket.socket
    _buffer: bytearray = field(default_factory=bytearray)

    def send(self, message: Entry) -> None:
        """Send one message. Raises RunnerLost when nobody is there."""
        try:
            self.sock.settimeout(CONNECT_SECONDS)
            self.sock.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise RunnerLost from error

    def receive(self, timeout: float) -> Entry | None:
        """The next message, None when none came within `timeout` seconds. Raises RunnerLost at the end."""
        deadline = time.monotonic() + timeout
        while (line := self._line()) is None:
            self.sock.settimeout(max(deadline - time.monotonic(), 0.0001))
            try:
                data = self.sock.recv(CHUNK)
            except TimeoutError:
                return None
            except OSError as error:
                raise RunnerLost from error
            if not data:
                raise RunnerLost
            self._buffer += data
        message: Entry = json.loads(line)
        return message

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def close(self) -> None:
        self.sock.close()


@dataclass
class Launching:
    """A runner that the launcher has been asked for; its start goes on while the asker does something else."""

    run: Run
    connection: Connection

    def finish(self) -> Connection:
        """Connect to the runner. Raises LauncherUnavailable, LaunchFailed or RunnerLost."""
        reply = _answer(self.connection)
        if not reply.get("ok"):
            raise LaunchFailed(f"The runner could not be started: {reply.get('error', 'no reason given')}")
        return connect(self.run)


def begin(run: Run) -> Launching:
    """Ask the launcher for a runner and do not wait. Raises LauncherUnavailable."""
    request = {
        "op": "start",
        "run": run.id,
        "directory": os.fspath(run.directory),
        "socket": os.fspath(run.socket),
        "worker": run.worker_id,
    }
    return Launching(run, _send_to_launcher(request))


def start(run: Run) -> Connection:
    """Have the launcher start a runner and connect to it. Raises LauncherUnavailable or RunnerLost."""
    return begin(run).finish()


def connect(run: Run) -> Connection:
    """Connect to a runner that should be alive. Raises RunnerLost when it is not."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(CONNECT_SECONDS)
    try:
        sock.connect(os.fspath(run.socket))
    except OSError as error:
        sock.close()
        raise RunnerLost from error
    return Connection(sock)


def hail(run: Run, connection: Connection, epoch: int) -> None:
    """Become the owner of a runner; its journal, from the first entry, follows. Raises RunnerLost."""
    connection.send({"op": "attach", "worker": run.worker_id, "epoch": epoch, "from": 1})


def attach(run: Run, connection: Connection, epoch: int, seconds: float = CONNECT_SECONDS) -> Iterator[Entry]:
    """Become the runner's owner; gives the journal's entries so far, however many.

    Raises Fenced, or RunnerLost when the runner tells nothing for so many seconds.
    """
    hail(run, connection, epoch)
    while entry := connection.receive(seconds):
        if entry["kind"] == "fenced":
            raise Fenced
        yield entry
        if entry["kind"] == "attached" and entry["epoch"] == epoch:
            return
    raise RunnerLost(f"The runner of worker {run.worker_id} did not answer within {seconds:.0f} s.")


def destroy(run: Run, epoch: int | None) -> None:
    """Make sure that nothing of this run is left, its socket included. None: whoever it obeys.

    Raises Fenced when the runner obeys a higher epoch already, LauncherUnavailable when it is not certain.
    """
    request = {"op": "destroy", "run": run.id, "directory": os.fspath(run.directory), "epoch": epoch}
    _ask_launcher({**request, "worker": run.worker_id})
    run.socket.unlink(missing_ok=True)


def is_alive(folder: str) -> bool:
    """Whether a runner of the worker with this folder is alive on this node. Raises LauncherUnavailable."""
    return any(run.folder == folder for run in alive())


def alive() -> list[Run]:
    """The runs whose runners are alive on this node. Raises LauncherUnavailable."""
    return [Run.named(name) for name in ping()["runs"]]


def ping() -> Entry:
    """What the launcher says of itself and its runners. Raises LauncherUnavailable."""
    return _ask_launcher({"op": "ping"})


def _ask_launcher(request: Entry) -> Entry:
    reply = _answer(_send_to_launcher(request))
    if reply.get("fenced"):
        raise Fenced
    if not reply.get("ok"):
        raise LauncherUnavailable(f"The launcher refused: {reply.get('error', 'no reason given')}")
    return reply


def _send_to_launcher(request: Entry) -> Connection:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(CONNECT_SECONDS)
    try:
        sock.connect(os.fspath(settings.SPECYARD.launcher_socket))
        connection = Connection(sock)
        connection.send(request)
    except (OSError, RunnerLost) as error:
        sock.close()
        raise LauncherUnavailable from error
    return connection


def _answer(connection: Connection) -> Entry:
    try:
        reply = connection.receive(LAUNCHER_SECONDS)
    except RunnerLost as error:
        raise LauncherUnavailable from error
    finally:
        connection.close()
    if reply is None:
        raise LauncherUnavailable(f"The launcher did not answer within {LAUNCHER_SECONDS:.0f} s.")
    return reply
