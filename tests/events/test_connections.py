"""Streams over real connections to a real web process."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
import pytest_asyncio
from django.db import connection

from tests.events.conftest import PATH, SECONDS, Reader, write
from tests.live.conftest import in_database
from tests.support.valkey import Valkey
from tests.support.web import Web
from workers.states import EventKind

pytestmark = pytest.mark.django_db(transaction=True)

MOST_THREADS = 12  # of a process that does nothing but hold streams
LARGE = 20_000  # characters of an event


class Connection(Reader):
    """A client with a socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._in, self._out = reader, writer
        self.head = ""

    @classmethod
    async def open(cls, web: Web, headers: dict[str, str], **query: Any) -> "Connection":
        """Connect and take the head of the answer; small buffers, so that a client that does not read is noticed."""
        address = {"host": "127.0.0.1", "port": web.port}
        made = cls(*await asyncio.open_connection(**address, limit=1 << 20))
        lines = [f"GET {PATH}?{urlencode(query, doseq=True)} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        made._out.write("\r\n".join([*lines, "", ""]).encode())
        made.head = (await made._in.readuntil(b"\r\n\r\n")).decode()
        return made

    async def take(self) -> bool:
        """Take one part of the body; False at its end."""
        try:
            size = int(await self._in.readuntil(b"\r\n"), 16)
            part = await self._in.readexactly(size + 2)
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        self.feed(part[:-2].decode())
        return size > 0

    async def until(self, condition: Callable[[], bool], seconds: float = SECONDS) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                assert await self.take(), "the stream has ended"

    async def until_told(self, seq: int) -> None:
        await self.until(lambda: bool(self.numbers) and self.numbers[-1] >= seq)

    async def rest(self, seconds: float = SECONDS) -> None:
        """Take everything up to the end."""
        async with asyncio.timeout(seconds):
            while await self.take():
                pass

    def close(self) -> None:
        self._out.transport.abort()


Connect = Callable[..., Awaitable[Connection]]


@pytest_asyncio.fixture
async def connect(bearer: dict[str, str]) -> AsyncIterator[Connect]:
    """Opens connections: `client = await connect(web, kind="node_online")`. They are closed at the end."""
    made: list[Connection] = []

    async def connecting(web: Web, **query: Any) -> Connection:
        last = {"Last-Event-ID": str(query.pop("last"))} if "last" in query else {}
        made.append(await Connection.open(web, {**bearer, **last}, **query))
        return made[-1]

    yield connecting
    for one in made:
        one.close()


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch, transactional_db: None, valkey: Valkey) -> Iterator[Web]:
    """A web process on which an account may have a hundred streams."""
    monkeypatch.setitem(os.environ, "SPECYARD_EVENT_STREAMS_PER_ACCOUNT", "100")
    process = Web()
    process.start()
    yield process
    process.kill()


@pytest.fixture
def impatient(transactional_db: None, valkey: Valkey) -> Iterator[Web]:
    """A web process that gives up clients after a second."""
    process = Web()
    process.module = "tests.events.impatient"
    process.start()
    yield process
    process.kill()


async def test_a_stream_arrives_at_once(web: Web, connect: Connect) -> None:
    client = await connect(web)
    assert client.head.startswith("HTTP/1.1 200 OK\r\n")
    assert "text/event-stream" in client.head
    await client.until(lambda: bool(client.id))
    for number in range(1, 6):
        await in_database(write)
        await client.until_told(number)
    assert client.numbers == [1, 2, 3, 4, 5]


async def test_streams_hold_neither_threads_nor_connections_to_the_database(roomy: Web, connect: Connect) -> None:
    process, threads = psutil.Process(roomy.pid), []
    coming = asyncio.gather(*(connect(roomy) for _ in range(60)))  # as after a restart
    while not coming.done():
        threads.append(process.num_threads())
        await asyncio.sleep(0.01)
    clients = await coming
    await in_database(write)
    for client in clients:
        await client.until_told(1)
    assert max(*threads, process.num_threads()) <= MOST_THREADS
    if connection.vendor == "sqlite":
        name = os.path.basename(connection.settings_dict["NAME"])
        assert sum(os.path.basename(file.path) == name for file in process.open_files()) <= MOST_THREADS
    else:
        assert await in_database(_sessions) <= MOST_THREADS


def _sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        (found,) = cursor.fetchone()
    return int(found)


async def test_whoever_goes_gives_the_place_back(web: Web, connect: Connect) -> None:
    clients = [await connect(web) for _ in range(10)]
    assert (await connect(web)).head.startswith("HTTP/1.1 429 ")
    clients[3].close()
    async with asyncio.timeout(SECONDS):
        while not (await connect(web)).head.startswith("HTTP/1.1 200 "):
            await asyncio.sleep(0.05)


async def test_a_client_that_takes_nothing_is_disconnected_and_comes_back(impatient: Web, connect: Connect) -> None:
    await in_database(write)
    client = await connect(impatient, last=0)
    await client.until_told(1)
    before = psutil.Process(impatient.pid).memory_info().rss
    for _ in range(100):
        await in_database(write, 30, EventKind.NODE_ONLINE, node="x" * LARGE)
    await asyncio.sleep(3)  # in which it reads nothing
    grown = psutil.Process(impatient.pid).memory_info().rss - before
    await client.rest()
    assert client.numbers == list(range(1, client.numbers[-1] + 1))
    assert client.numbers[-1] < 3001, "all of it was buffered"
    assert grown < 3000 * LARGE
    again = await connect(impatient, last=client.id)
    await again.until_told(3001)
    assert client.numbers + again.numbers == list(range(1, 3002))


async def test_a_slow_client_gets_everything(impatient: Web, connect: Connect) -> None:
    client = await connect(impatient)
    await client.until(lambda: bool(client.id))
    for _ in range(30):
        await in_database(write, 30, EventKind.NODE_ONLINE, node="x" * LARGE)
        await client.take()
    await client.until_told(900)
    assert client.numbers == list(range(1, 901))


async def test_streams_survive_the_loss_of_redis(web: Web, connect: Connect, valkey: Valkey) -> None:
    client = await connect(web)
    await client.until(lambda: bool(client.id))
    valkey.kill()
    await in_database(write)
    await client.until_told(1)
    valkey.start()
    await in_database(write)
    await client.until_told(2)


async def test_a_killed_web_process_costs_nothing(web: Web, connect: Connect) -> None:
    client = await connect(web)
    await in_database(write, 3)
    await client.until_told(3)
    web.kill()
    await client.rest()
    await in_database(write, 4)
    web.start()
    again = await connect(web, last=client.id)
    await again.until_told(7)
    assert client.numbers + again.numbers == list(range(1, 8))
