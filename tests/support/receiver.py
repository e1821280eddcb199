"""A real receiver of webhooks on 127.0.0.1 that answers as it is told. Import the fixture `receiver`."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.wait import until

Answer = Callable[[socket.socket, threading.Event], None]


@dataclass(frozen=True)
class Received:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def status(number: int, text: str = "", **headers: str) -> Answer:
    """Answers with a status."""

    def answer(connection: socket.socket, over: threading.Event) -> None:
        given = {"Content-Length": str(len(text)), "Connection": "close", **headers}
        lines = [
            f"HTTP/1.1 {number} Whatever",
            *(f"{name.replace('_', '-')}: {value}" for name, value in given.items()),
        ]
        connection.sendall("\r\n".join([*lines, "", text]).encode())

    return answer


def hang(connection: socket.socket, over: threading.Event) -> None:
    """Never answers."""
    over.wait()


def close(connection: socket.socket, over: threading.Event) -> None:
    """Goes away without a word."""


def drip(connection: socket.socket, over: threading.Event) -> None:
    """Sends a head without an end, a byte every now and then."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not over.wait(0.05):
        connection.sendall(b"x")


def flood(connection: socket.socket, over: threading.Event) -> None:
    """Sends a gigabyte."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    part = b"x" * (1 << 20)
    for _ in range(1024):
        connection.sendall(part)


class Receiver:
    """Takes requests. The answers are given in their order; after the last one it answers 200."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[Answer] = []
        self._over = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/hook?of=mira"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def numbers(self) -> list[int]:
        """The numbers of the events that have come, in their order."""
        return [one.event["seq"] for one in self.received]

    def until(self, count: int, seconds: float = 20.0) -> list[Received]:
        """Wait for so many requests."""
        until(lambda: len(self.received) >= count, seconds, f"{count} requests")
        return self.received

    def close(self) -> None:
        """End everything."""
        self._over.set()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._take, args=(connection,)))
            self._threads[-1].start()

    def _take(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            with connection.makefile("rb") as stream:
                line = stream.readline().decode().strip()
                headers = {}
                while text := stream.readline().decode().strip():
                    name, _, value = text.partition(": ")
                    headers[name.lower()] = value
                body = stream.read(int(headers.get("content-length", 0)))
            if line:
                answer = self.answers.pop(0) if self.answers else status(200)
                self.received.append(Received(line, headers, body))
                answer(connection, self._over)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that answers 200 unless told otherwise."""
    one = Receiver()
    yield one
    one.close()
