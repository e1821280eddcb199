"""A real Valkey for tests, on the socket that the settings of the tests name. Import the fixture `valkey`."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from django.conf import settings

from dashboard.cli.ground import valkey_binary

PATIENCE = 10.0  # seconds for the server to answer


class Valkey:
    """A server that keeps nothing on disk: whoever restarts it loses all."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket))

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        if self._process is not None:
            return
        self.socket.unlink(missing_ok=True)
        self.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        arguments = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [valkey_binary(), *arguments], stdout=subprocess.DEVNULL, cwd=self.socket.parent
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < deadline, "Valkey does not answer"
            time.sleep(0.01)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Within: the server takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        client = self.client
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    """A running, empty Valkey that `settings.SPECYARD_REDIS` points to."""
    server = Valkey(settings.SPECYARD.runtime_dir / "valkey.sock")
    server.start()
    yield server
    server.kill()
