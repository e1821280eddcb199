"""An open page, as far as a test needs one: a socket through the whole application, signed in by a cookie."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from dashboard.asgi import application
from dashboard.live.relay import Relay
from tests.support.browser import chromium  # noqa: F401
from tests.support.valkey import valkey  # noqa: F401
from tests.support.web import web  # noqa: F401

HOST = "localhost:8420"
TARGET = re.compile(r'<hx-partial hx-target="#([^"]+)" hx-swap="outerMorph">(.*?)</hx-partial>', re.DOTALL)


async def in_database(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the function in a thread, and close that thread's connection."""

    def call() -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return await asyncio.to_thread(call)


class Page:
    """A page that is open: what arrived, region by region."""

    def __init__(self, cookie: str, topics: str = "workers", origin: str = f"http://{HOST}") -> None:
        headers = [(b"origin", origin.encode()), (b"host", HOST.encode()), (b"cookie", cookie.encode())]
        self.socket = WebsocketCommunicator(application, f"/live/socket?topics={quote(topics)}", headers=headers)
        self.names = topics
        self.regions: dict[str, str] = {}
        self.messages: list[dict[str, str]] = []
        self.beacons: list[dict[str, int]] = []
        self.echoes = True

    async def open(self) -> "Page":
        """Connect and take the regions that come first."""
        connected, code = await self.socket.connect(timeout=5)
        assert connected, code
        await self.until(lambda: bool(self.beacons))
        return self

    async def refused(self) -> int:
        """Try to connect; the code with which that was refused."""
        connected, code = await self.socket.connect(timeout=5)
        assert not connected
        return int(code or 0)

    async def take(self, timeout: float = 5) -> None:
        """Take one message and apply it."""
        async with asyncio.timeout(timeout):  # receive_from() would end the application at a timeout
            message = await self.socket.output_queue.get()
        assert message["type"] == "websocket.send", message
        text = message["text"]
        if text.startswith("{"):
            beacon = json.loads(text)
            self.beacons.append(beacon)
            if self.echoes:
                await self.socket.send_to(text_data=str(beacon["echo"]))
        else:
            parts = dict(TARGET.findall(text))
            assert parts, text
            self.regions.update(parts)
            self.messages.append(parts)

    async def until(self, condition: Callable[[], bool], timeout: float = 5) -> None:
        """Take messages until the condition holds."""
        async with asyncio.timeout(timeout):
            while not condition():
                await self.take(timeout)

    async def until_shows(self, target: str, text: str, timeout: float = 5) -> None:
        await self.until(lambda: text in self.regions.get(target, ""), timeout)

    async def closed(self, timeout: float = 5) -> int:
        """Wait for the end; its code."""
        async with asyncio.timeout(timeout):
            while True:
                message = await self.socket.receive_output(timeout)
                if message["type"] == "websocket.close":
                    return int(message["code"])

    async def leave(self) -> None:
        await self.socket.disconnect()


def cookie_of(name: str) -> str:
    """The cookie of somebody new who has signed in."""
    client = Client()
    client.force_login(User.objects.create_user(name))
    return f"specyard_session={client.cookies['specyard_session'].value}"


@pytest.fixture
def cookie(transactional_db: None) -> str:
    """The cookie of somebody who has signed in."""
    return cookie_of("mira")


@pytest_asyncio.fixture
async def relay(transactional_db: None, valkey: Any) -> AsyncIterator[Relay]:  # noqa: F811
    """The relay of this test, ended after it together with its connections."""
    relay = Relay.of_this_process()
    yield relay
    await relay.close()
    await sync_to_async(connections.close_all)()


@pytest_asyncio.fixture
async def open_page(relay: Relay, cookie: str) -> AsyncIterator[Callable[..., Any]]:
    """Opens pages: `page = await open_page(topics="workers")`. They are closed at the end."""
    pages: list[Page] = []

    async def open_one(topics: str = "workers") -> Page:
        page = await Page(cookie, topics).open()
        pages.append(page)
        return page

    yield open_one
    for page in pages:
        await page.leave()
