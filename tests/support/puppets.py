"""Runners that say what a test wants, behind a launcher's socket: for what an owner does with what it is told.

Import the fixture `puppets`. Prepare, restore and checkpoint pass by themselves, pause and resume are obeyed.
"""

import contextlib
import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.support.wait import until
from workers.models import Worker

Message = dict[str, Any]
BY_ITSELF = ("prepare", "restore", "checkpoint")
PASSED: Message = {"outcome": "passed", "reason": "", "message": "", "findings": "", "exit_code": 0}


class Puppet:
    """One runner: hears everything, and tells what it is made to tell."""

    def __init__(self, start: Message, play: "Play") -> None:
        self.run = start["run"]
        self.directory = Path(start["directory"])
        self.directory.mkdir(parents=True)  # it is new: what another run has left there would be taken for its own
        self.entries: list[Message] = []
        self.heard: list[Message] = []
        self.work: queue.Queue[Message] = queue.Queue()
        self.under_way: Message | None = None
        self.play = play
        self._client: socket.socket | None = None
        self._lock = threading.RLock()
        self._socket = socket.socket(socket.AF_UNIX)
        self._path = Path(start["socket"])
        self._path.unlink(missing_ok=True)
        self._socket.bind(str(self._path))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    # What a test does with it.

    def asked_for(self, op: str) -> Message:
        """The next request, which has to be of this kind."""
        message = self.work.get(timeout=20)
        assert message["op"] == op
        return message

    def was_told(self, op: str) -> list[Message]:
        """Everything of this kind that it was told, once there is something."""
        return until(lambda: [message for message in self.heard if message["op"] == op], what=f"{op} is heard")

    def tell(self, kind: str, **fields: Any) -> None:
        """Write an entry of the journal, about the request under way."""
        with self._lock:
            about = self.under_way or {}
            entry = {"n": len(self.entries) + 1, "at": "2026-01-01T00:00:00Z", "kind": kind}
            entry |= {"request": about.get("request"), "attempt": about.get("attempt"), **fields}
            self.entries.append(entry)
            with (self.directory / "journal.ndjson").open("a") as journal:
                journal.write(json.dumps(entry) + "\n")
            self._send(entry)

    def finish(self, **result: Any) -> None:
        """End the request under way; as passed, unless `result` says otherwise."""
        self.tell("finished", result={**PASSED, "bytes": 0, "lines": 0, **result})
        self.under_way = None

    def fail(self, reason: str = "review_failed", **result: Any) -> None:
        message = f"It failed: {reason}."
        self.finish(**{"outcome": "failed", "reason": reason, "message": message, "findings": message, **result})

    def die(self) -> None:
        """Be gone without a word."""
        with self._lock:
            for sock in (self._socket, self._client):
                if sock is not None:
                    _close(sock)
            self._client = None
            self._path.unlink(missing_ok=True)

    # What it does by itself.

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._hear, args=(client,), daemon=True).start()

    def _hear(self, client: socket.socket) -> None:
        try:
            with client, client.makefile("rb") as lines:
                for line in lines:
                    self._take(client, json.loads(line))
        except OSError:
            return

    def _take(self, client: socket.socket, message: Message) -> None:
        with self._lock:
            op = message["op"]
            self.heard.append(message)
            if op == "attach":
                if self._client is not None:
                    _close(self._client)
                self._client = client
                for entry in self.entries:
                    self._send(entry)
                self.tell("attached", epoch=message["epoch"])
            elif op in ("pause", "resume"):
                self.tell({"pause": "paused", "resume": "resumed"}[op])
            elif op == "quit":
                self._quit()
            elif "request" in message:
                self._begin(message)
            self.play(self, message)

    def _begin(self, message: Message) -> None:
        if message["request"] in {entry["request"] for entry in self.entries if entry["kind"] == "started"}:
            return  # it is at it, or has done it
        self.under_way = message
        self.tell("started", pid=1)
        if message["op"] in BY_ITSELF:
            self.finish(facts=self._facts(message))
        else:
            self.work.put(message)

    def _facts(self, message: Message) -> Message:
        """What a git worktree would tell; there is none."""
        if worktree := message.get("worktree"):
            return {"directory": worktree["target"], "branch": worktree["branch"], "base": f"{0:040x}"}
        return {"commit": f"{len(self.entries):040x}"} if message["op"] == "checkpoint" else {}

    def _quit(self) -> None:
        if self.under_way is not None:
            self.finish(outcome="interrupted", reason="interrupted", message="Interrupted.")
        self.tell("ended")
        self.die()

    def _send(self, entry: Message) -> None:
        if self._client is not None:
            try:
                self._client.sendall(json.dumps(entry).encode() + b"\n")
            except OSError:
                self._client = None


Play = Callable[[Puppet, Message], None]


class Puppets:
    """The launcher: starts puppets and destroys them."""

    def __init__(self) -> None:
        self.runs: dict[str, Puppet] = {}
        self.play: Play = lambda puppet, message: None  # called with each message that a puppet hears
        path: Path = settings.SPECYARD.launcher_socket
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def runner(self, worker: Worker, incarnation: int = 1) -> Puppet:
        """The runner of a worker, once it was started."""
        run = f"{worker.folder}-{incarnation}"
        return until(lambda: self.runs.get(run), what=f"run {run} is started")

    def close(self) -> None:
        _close(self._socket)
        self._path.unlink(missing_ok=True)
        for puppet in self.runs.values():
            puppet.die()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), client:  # whoever asked may be gone
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        with client.makefile("rb") as stream:
            request = json.loads(stream.readline())
        if request["op"] == "start" and request["run"] not in self.runs:
            self.runs[request["run"]] = Puppet(request, self.play)
        elif request["op"] == "destroy" and request["run"] in self.runs:
            self.runs[request["run"]].die()
        client.sendall(b'{"ok": true, "runs": {}}\n')


def _close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it was never connected, or is closed already
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


@pytest.fixture
def puppets() -> Iterator[Puppets]:
    """A launcher of puppets, ended with them afterwards."""
    launcher = Puppets()
    yield launcher
    launcher.close()
