"""A real web process on the database and the Valkey of the tests. Import the fixture `web`."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.support.yard import ROOT, database_url

PATIENCE = 30.0  # seconds for the process to answer


class Web:
    """Daphne in a process of its own, which may be killed and started again on the same port."""

    module = "daphne"  # which takes its arguments

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-P", "-m", self.module, "-v", "0", "-b", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--websocket_timeout", "-1", "dashboard.asgi:application"],
            env={**os.environ, "DATABASE_URL": database_url(), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, "the web process ended"
            assert time.monotonic() < deadline, "the web process does not answer"
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """The number of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=1) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def session_cookie(username: str = "mira", *, staff: bool = True) -> str:
    """The session of a person who has signed in; the person is made when needed."""
    user, _ = User.objects.get_or_create(username=username, defaults={"is_staff": staff})
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.fixture
def web(transactional_db: None, valkey: Any) -> Iterator[Web]:
    """A running web process."""
    process = Web()
    process.start()
    yield process
    process.kill()
