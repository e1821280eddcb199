"""Real launchers and runners for the tests, and questions about the process table."""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
PATIENCE = 15.0
Message = dict[str, Any]


def wait_until(condition: Callable[[], Any], what: str = "the condition", seconds: float = PATIENCE) -> Any:
    """Look again and again until it is true; gives its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s"
        time.sleep(0.005)
    return value


class Connection:
    """One line-by-line JSON connection."""

    def __init__(self, path: str | Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self._file = self.socket.makefile("rb")

    def send(self, **message: Any) -> None:
        self.send_raw(json.dumps(message).encode() + b"\n")

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> Message | None:
        """The next message; None at the end of the connection."""
        try:
            line = self._file.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line.endswith(b"\n") else None

    def ask(self, **message: Any) -> Message:
        self.send(**message)
        reply = self.receive()
        assert reply is not None, "the connection ended"
        return reply

    def until(self, kind: str, **wanted: Any) -> Message:
        """Read on to a message of this kind with these values."""
        for message in iter(self.receive, None):
            if message["kind"] == kind and all(message.get(key) == value for key, value in wanted.items()):
                return message
        raise AssertionError(f"the connection ended without {kind} {wanted}")

    def closed(self) -> bool:
        """Whether the other side ends the connection; reads it to its end."""
        while self.receive() is not None:
            pass
        return True

    def flood(self, data: bytes) -> None:
        """Send again and again without reading, until the other side ends the connection."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while True:
                self.send_raw(data)

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class Launcher:
    """A launcher process, and a directory for its runs; it may lodge with another one and use its process."""

    def __init__(
        self, directory: Path, cwd: Path | None = None, setup: str = "", lodging_with: "Launcher | None" = None
    ) -> None:
        self.directory = directory
        self.path = directory / "launcher.sock"
        self.log = directory / "launcher.log"
        self._cwd = cwd or directory
        self._setup = setup  # Python code that is run first
        self._connections: list[Connection] = []
        self._lodges = lodging_with is not None
        if lodging_with is None:
            self.boot()
        else:
            self.path, self.process = lodging_with.path, lodging_with.process

    def boot(self) -> None:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
        command = [sys.executable, "-P", "-m", "workers.runner", "launcher", "--socket", str(self.path)]
        if self._setup:
            code = f"from workers.runner import launcher\n{self._setup}\nlauncher.main({str(self.path)!r})"
            command = [sys.executable, "-P", "-c", code]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=env, cwd=self._cwd, stderr=log, stdout=log)
        wait_until(self._answers, "the launcher's answer")

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            connection = Connection(self.path)
        except OSError:
            return False
        try:
            connection.send(op="ping")
            reply = connection.receive()
        except OSError:
            return False
        finally:
            connection.close()
        return reply is not None and reply["pid"] == self.process.pid  # not the last gasp of the one before

    def connect(self, path: Path) -> Connection:
        connection = Connection(path)
        self._connections.append(connection)
        return connection

    def ask(self, **message: Any) -> Message:
        return self.connect(self.path).ask(**message)

    def start(self, worker: int = 12, incarnation: int = 1) -> "Run":
        run = Run(self, worker, incarnation)
        reply = run.start()
        assert reply["ok"], reply
        run.pid = reply["pid"]
        return run

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Destroy every run, then the launcher if it is its own."""
        if self.process.poll() is not None:
            self.boot()
        for directory in self.directory.glob("runs/*"):
            self.ask(op="destroy", run=directory.name, directory=str(directory))
        if not self._lodges:
            self.ask(op="quit")
            self.process.wait(10)
        for connection in self._connections:
            connection.close()


class Run:
    """One runner, as its owner sees it."""

    def __init__(self, launcher: Launcher, worker: int, incarnation: int) -> None:
        self.launcher = launcher
        self.worker = worker
        self.id = f"{worker}-{incarnation}"
        self.directory = launcher.directory / "runs" / self.id
        self.path = launcher.directory / f"r{self.id}.sock"
        self.workspace = launcher.directory / "workspace"
        self.workspace.mkdir(exist_ok=True)
        self.pid = 0

    def start(self) -> Message:
        return self.launcher.ask(
            op="start", run=self.id, directory=str(self.directory), socket=str(self.path), worker=self.worker
        )

    def destroy(self, **more: Any) -> Message:
        return self.launcher.ask(op="destroy", run=self.id, **more)

    def attach(self, epoch: int = 1, start: int = 1) -> "Owner":
        owner = Owner(self)
        owner.connection.send(op="attach", epoch=epoch, **{"from": start})
        return owner

    def log(self, attempt: int) -> Path:
        return self.launcher.directory / "logs" / f"{attempt}.log"


class Owner:
    """An attached connection with short ways to say things."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.connection = run.launcher.connect(run.path)
        self.until = self.connection.until

    def say(self, op: str, **more: Any) -> None:
        self.connection.send(op=op, worker=self.run.worker, **more)

    def work(self, op: str, attempt: int, **more: Any) -> str:
        message: Message = {
            "request": f"{attempt}:{op}",
            "attempt": attempt,
            "cwd": str(self.run.workspace),
            "env": {},
            "log": str(self.run.log(attempt)),
            "timeout": 30.0,
            "grace": 3.0,
        }
        message |= more
        self.say(op, **message)
        request: str = message["request"]
        return request

    def execute(self, command: str, attempt: int = 1, **more: Any) -> str:
        """Ask for a command and give the request's id."""
        return self.work("execute", attempt, **{"executor": "command", "params": {"run": command}, **more})

    def result(self, request: str) -> Message:
        found: Message = self.until("finished", request=request)["result"]
        return found

    def passes(self, command: str, attempt: int = 1, **more: Any) -> Message:
        """Run a command that must pass."""
        result = self.result(self.execute(command, attempt, **more))
        assert result["outcome"] == "passed", result
        return result


class Token:
    """A mark in command lines, by which processes are found whatever session, group or environment they have."""

    def __init__(self) -> None:
        self.text = f"mark-{uuid.uuid4().hex}"

    def sleeper(self, prefix: str = "") -> str:
        """Shell text for a process that stays: it sleeps, carries the mark and has closed its pipes."""
        code = shlex.quote("import time; time.sleep(600)")
        return f"{prefix} {shlex.quote(sys.executable)} -c {code} {self.text} </dev/null >/dev/null 2>&1"

    def processes(self) -> list[psutil.Process]:
        """The living ones; shells that only mention the mark in their text do not count."""
        found = []
        for process in psutil.process_iter():
            try:
                if self.text in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def wait_for(self, count: int) -> list[psutil.Process]:
        return list(wait_until(lambda: len(found := self.processes()) == count and found, f"{count} processes"))


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def python(code: str) -> str:
    """Shell text that runs Python code."""
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


# Each generation starts the next one and ends, so that every walk over the tree finds another one.
STORM = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
while True:
    if os.fork(): os._exit(0)
    os.setsid()
    with open('storm', 'a') as file: file.write('x')
"""


# Its parent waits in vfork, uninterruptibly, and cannot be stopped before the child goes on.
VFORK = """
import ctypes, os, time
libc = ctypes.CDLL(None)
print('up', flush=True)
if libc.vfork() == 0:
    time.sleep(600)
    os._exit(0)
"""


def status_of(process: psutil.Process) -> str:
    """What `ps` says of a process; "gone" for one that ended while it was asked."""
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return "gone"
