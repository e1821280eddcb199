"""A web process as `specyard web` runs it, whose log is read by a program."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from tests.support.wait import until
from tests.support.yard import ROOT, database_url

PATIENCE = 30.0


class Reply:
    """What came back, and how long it took."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        begun = time.monotonic()
        request = urllib.request.Request(url, headers=dict(headers))
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                self.status, self.headers, self.text = answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            self.status, self.headers, self.text = error.code, error.headers, error.read().decode()
        self.seconds = time.monotonic() - begun

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Served:
    """Started at once; `with` ends it."""

    def __init__(self, **environment: str) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        number = self.listener.fileno()
        command = [sys.executable, "-P", "-m", "dashboard.cli.serve", "web", "--listener", str(number)]
        known = {**os.environ, "DATABASE_URL": database_url(), "PYTHONPATH": str(ROOT), **environment}
        self.process = subprocess.Popen(
            command, env=known, pass_fds=[number], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Served":
        until(lambda: self.process.poll() is None and self.get("/healthz").status == 200, PATIENCE, "it serves")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self.process.stderr is not None:
            self.process.stderr.close()
        self.listener.close()

    def get(self, path: str, **headers: str) -> Reply:
        """Ask; underscores in names of headers stand for hyphens."""
        return Reply(self.url + path, {name.replace("_", "-"): value for name, value in headers.items()})

    def told(self, **facts: Any) -> dict[str, Any]:
        """The first line of the log, as JSON, that says all this; waits for it."""

        def found() -> dict[str, Any] | None:
            events = [json.loads(line) for line in list(self.log)]
            return next((event for event in events if facts.items() <= event.items()), None)

        event = until(found, what=f"the log says {facts}: {self.log}")
        assert event is not None
        return event

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))


def silent_server() -> socket.socket:
    """Takes connections, in the kernel's queue, and never says a word."""
    return socket.create_server(("127.0.0.1", 0), backlog=64)
