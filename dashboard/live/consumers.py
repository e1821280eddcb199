"""One open page: who may have it, what it shows, what it echoes."""

import asyncio
import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from dashboard.live.relay import Relay
from dashboard.live.sockets import SIGNED_OUT, TRY_AGAIN_LATER, Socket
from dashboard.live.topics import BadTopics, parse

logger = logging.getLogger(__name__)

MOST_PAGES = 2000
MOST_PAGES_OF_ONE = 200  # so that nobody can take all of them
LONGEST_ECHO = 18
LONGEST_QUERY = 5000
WHOLE = "whole"  # a page says so when the reply to an action may have overtaken, or been overtaken by, what we sent
BAD_REQUEST, FOREIGN, BAD_MESSAGE = 4400, 4403, 1008


class LiveConsumer(AsyncWebsocketConsumer):
    """Joins the page to the relay and passes on what that has for it.

    Closes with 4400 (unknown topics), 4401 (not signed in, or not any more), 4403 (page of another site), 1008 (a
    message that it may not send) and 1013 (too many pages, or a page that does not answer).
    """

    channel_layer_alias = "none: only the relay listens, so a page opens without Redis too"
    socket: Socket | None = None
    writer: "asyncio.Task[None] | None" = None

    async def connect(self) -> None:
        """Let a page of ours join whose user is signed in."""
        code, topics = self._examine()
        if code:
            await self.close(code)
            return
        await self.accept()
        self.relay = Relay.of_this_process()
        self.socket = Socket(topics, self.scope["session"].session_key or "", self.scope["user"].pk)
        self.writer = asyncio.create_task(self._write(self.socket))
        self.relay.join(self.socket)

    def _examine(self) -> tuple[int, Any]:
        """The code to refuse with (0: none), and the topics."""
        user = self.scope.get("user")
        if user is None or not user.is_authenticated or not user.is_active:
            return SIGNED_OUT, None
        if not is_own_page(dict(self.scope["headers"])):
            return FOREIGN, None
        query = parse_qs(self.scope["query_string"].decode("latin1")[:LONGEST_QUERY])
        try:
            topics = parse(query.get("topics", [""])[0])
        except BadTopics:
            return BAD_REQUEST, None
        relay = Relay.of_this_process()
        has_room = relay.pages < MOST_PAGES and relay.pages_of(user.pk) < MOST_PAGES_OF_ONE
        return 0 if has_room and relay.has_room_for(topics) else TRY_AGAIN_LATER, topics

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take an echo (the number of messages that the page has applied), or the wish to get the page whole."""
        if self.socket is None:
            return
        if text_data == WHOLE:
            self.relay.again(self.socket)
        elif text_data is None or len(text_data) > LONGEST_ECHO or not text_data.isdecimal():
            self.socket.close(BAD_MESSAGE)
        else:
            self.relay.echo(self.socket, int(text_data))

    async def disconnect(self, code: int) -> None:
        """The page is gone."""
        if self.socket is not None:
            self.relay.leave(self.socket)
        if self.writer is not None:
            self.writer.cancel()

    async def _write(self, socket: Socket) -> None:
        while (text := await socket.next()) is not None:
            await self.send(text_data=text)
        await self.close(socket.close_code)


def is_own_page(headers: dict[bytes, bytes]) -> bool:
    """Whether the page came from this very address.

    The origin validator compares host names only. Another port of the same machine, where a chunk's web server may
    run, shares our cookies, so the port must match too; as Django does for forms.
    """
    origin, host = headers.get(b"origin", b"").decode("latin1"), headers.get(b"host", b"").decode("latin1")
    return not host or origin in settings.CSRF_TRUSTED_ORIGINS or urlsplit(origin).netloc.lower() == host.lower()
