"""An open event stream, as far as a test needs one: through the whole application, or over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.db import connections

from dashboard import tokens
from dashboard.asgi import application
from dashboard.live.feed import Feed
from tests.events.sending import sends
from tests.live.conftest import in_database
from tests.pages.conftest import admin, node, operator, viewer
from tests.support.receiver import receiver  # noqa: F401
from tests.support.valkey import valkey  # noqa: F401
from tests.support.web import web  # noqa: F401
from workers.models import emit, unit_of_work
from workers.states import EventKind

__all__ = ["admin", "in_database", "node", "operator", "sends", "viewer"]
PATH = "/api/workers/events"
SECONDS = 10.0  # within which whatever a test waits for arrives


@unit_of_work
def write(count: int = 1, kind: EventKind = EventKind.NODE_ONLINE, of: int | None = None, **data: Any) -> None:
    """Commit events at once; `of` a worker."""
    for _ in range(count):
        emit(kind, of, **(data or {"node": "one"}))


class Reader:
    """Takes what a stream sends apart."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.comments = 0
        self.retry = 0
        self.id = ""  # with which a browser would come back
        self._rest = ""

    def feed(self, text: str) -> None:
        *blocks, self._rest = (self._rest + text).split("\n\n")
        for block in blocks:
            self._read(block)

    def _read(self, block: str) -> None:
        fields = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        self.comments += "" in fields
        self.id = fields.get("id", self.id)
        self.retry = int(fields.get("retry", self.retry))
        if "data" in fields:
            event = json.loads(fields["data"])
            assert fields["event"] == event["kind"]
            assert fields["id"] == str(event["seq"])
            self.events.append(event)

    @property
    def numbers(self) -> list[int]:
        return [event["seq"] for event in self.events]

    @property
    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events]


class Stream(Reader):
    """A stream that is open in this process, without a server in between."""

    def __init__(self, headers: dict[str, str], **query: Any) -> None:
        super().__init__()
        given = {"host": "localhost", **headers}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": PATH,
            "query_string": urlencode(query, doseq=True).encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": ["127.0.0.1", 40000],
        }
        self._connection = ApplicationCommunicator(application, scope)
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = ""
        self.is_over = False

    async def open(self) -> "Stream":
        """Send the request, and take the answer up to where it goes on."""
        await self._connection.send_input({"type": "http.request", "body": b"", "more_body": False})
        started = await self._message()
        self.status = started["status"]
        self.headers = {name.decode().lower(): value.decode() for name, value in started["headers"]}
        if self.status == 200:
            await self.until(lambda: bool(self.id))
        else:
            while not self.is_over:
                await self.take()
        return self

    async def take(self) -> None:
        """Take what is sent next."""
        message = await self._message()
        text = message.get("body", b"").decode()
        self.body += text
        self.feed(text)
        self.is_over = not message.get("more_body", False)

    async def until(self, condition: Callable[[], bool], seconds: float = SECONDS) -> None:
        """Take what is sent until the condition holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                assert not self.is_over, "the stream has ended"
                await self.take()

    async def until_told(self, seq: int, seconds: float = SECONDS) -> None:
        await self.until(lambda: bool(self.numbers) and self.numbers[-1] >= seq, seconds)

    async def ended(self, seconds: float = SECONDS) -> None:
        """Wait for the end."""
        async with asyncio.timeout(seconds):
            while not self.is_over:
                await self.take()

    async def leave(self) -> None:
        """Go away, and wait until the application has seen it."""
        await self._connection.send_input({"type": "http.disconnect"})
        await self._connection.wait(5)

    async def _message(self) -> dict[str, Any]:
        async with asyncio.timeout(SECONDS + PATIENCE):
            return await self._connection.output_queue.get()


PATIENCE = 20.0  # beyond what `until` allows, so that it is the one who complains
Open = Callable[..., Awaitable[Stream]]


@pytest.fixture
def mira(transactional_db: None) -> User:
    """Somebody who may look."""
    return User.objects.create_user("mira")


@pytest.fixture
def bearer(mira: User) -> dict[str, str]:
    """The header with which one of mira's programs calls."""
    return {"Authorization": f"Bearer {tokens.create(mira, 'for a test', 'read')[1]}"}


@pytest_asyncio.fixture
async def feed(transactional_db: None) -> AsyncIterator[Feed]:
    """The feed of this test, ended after it together with its connections. Redis is away unless `valkey` is taken."""
    feed = Feed.of_this_process()
    yield feed
    await feed.close()
    await sync_to_async(connections.close_all)()


@pytest_asyncio.fixture
async def open_stream(feed: Feed, bearer: dict[str, str]) -> AsyncIterator[Open]:
    """Opens streams: `stream = await open_stream(kind="node_online")`. They are left at the end."""
    streams: list[Stream] = []

    async def open_one(headers: dict[str, str] | None = None, **query: Any) -> Stream:
        last = {"Last-Event-ID": str(query.pop("last"))} if "last" in query else {}
        stream = Stream({**(bearer if headers is None else headers), **last}, **query)
        streams.append(stream)
        return await stream.open()

    yield open_one
    for stream in streams:
        await stream.leave()
