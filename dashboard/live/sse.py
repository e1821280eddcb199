"""Event streams over HTTP, after https://html.spec.whatwg.org/multipage/server-sent-events.html.

A stream begins as a request to the API like any other: Django lets the caller in and answers with the headers. Then
Django is done with it, and the rest is sent from here. Were it a streaming response of Django's, each stream would
keep what every request has: a thread (asgiref's ThreadSensitiveContext) with its connection to the database, until
its client goes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from dashboard.events import Told
from dashboard.live.feed import Feed, places
from dashboard.live.flow import Flow
from dashboard.live.streams import Stream

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

KEY = "specyard.stream"
PATH = "/api/workers/events"
MEDIA_TYPE = "text/event-stream"
# Proxies pass on what they get when they get it: they keep nothing, compress nothing, and (nginx) buffer nothing.
HEADERS = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
RETRY_MS = 2000  # after which a client comes back
PING = 15.0  # seconds without anything, after which a comment is sent: proxies close what is silent
STALLED = 30.0  # seconds in which a client has taken nothing, after which it is disconnected
COMMENT = ": still here\n\n"


@dataclass
class Handover:
    """Where the view of the API leaves the stream that it has let in. It holds a place until the client is gone."""

    stream: Stream | None = None

    def take(self, stream: Stream, most: int) -> bool:
        """Hand over a stream. False when the account has too many already."""
        if not places.take(stream.caller.account, most):
            return False
        self.stream = stream
        return True

    def give_back(self) -> None:
        """The stream has ended."""
        if self.stream is not None:
            places.give_back(self.stream.caller.account)


class EventStreams:
    """ASGI: Django, and what it hands over."""

    def __init__(self, django: Any) -> None:
        self._django = django

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        client, handover = Client(receive, send), Handover()
        door = Feed.of_this_process().door if scope["path"] == PATH else nullcontext()
        try:
            async with door:
                given = {**scope, KEY: handover}
                await self._django(given, client.receive, lambda sent: client.pass_on(sent, handover))
            if handover.stream is not None and client.is_there:
                await client.follow(handover.stream)
        finally:
            handover.give_back()


class Client:
    """The other end of a request."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._is_gone = False
        self._status = 0

    @property
    def is_there(self) -> bool:
        """Whether it was answered with 200 and waits for more."""
        return self._status == HTTPStatus.OK and not self._is_gone

    async def receive(self) -> Message:
        """The next message, of which Django may take the last one."""
        message = await self._receive()
        self._is_gone |= message["type"] == "http.disconnect"
        return message

    async def pass_on(self, message: Message, handover: Handover) -> None:
        """Send what Django does; a response with a stream goes on after it, so nobody knows its length."""
        self._status = message.get("status", self._status)
        if handover.stream is not None and self._status == HTTPStatus.OK:
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() != b"content-length"]
            message = {**message, "headers": kept, "more_body": True}
        await self._send(message)

    async def follow(self, stream: Stream) -> None:
        """Send the stream until the client goes, may not listen any more, or does not take what it is sent."""
        feed = Feed.of_this_process()
        feed.join(stream)
        tasks = {asyncio.create_task(self._until_gone()), asyncio.create_task(self._write(feed, stream))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            feed.leave(stream)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_gone(self) -> None:
        while not self._is_gone:
            await self.receive()

    async def _write(self, feed: Feed, stream: Stream) -> None:
        with Flow(self._send) as flow:
            told = stream.position  # the number that the client would come back with
            while True:
                events = await (stream.news(PING) if stream.is_live else feed.catch_up(stream))
                if stream.is_over:  # what was read meanwhile is not theirs any more
                    break
                await self._send_body(lines(events, told, stream.position) or COMMENT)
                told = stream.position
                if not await flow.drained(STALLED):
                    flow.abort()
                    return
        await self._send_body("", more=False)

    async def _send_body(self, text: str, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": text.encode(), "more_body": more})


def hello(position: int) -> str:
    """What is sent first: what a client needs that is disconnected before anything has happened."""
    return f"retry: {RETRY_MS}\nid: {position}\n\n"


def lines(events: Iterable[Told], before: int, reached: int) -> str:
    """The events as they are sent; when the last of them is not `reached`, that too: with it the client comes back."""
    parts, last = [], before
    for told in events:
        parts.append(f"id: {told.seq}\nevent: {told.kind}\ndata: {told.text}\n\n")
        last = told.seq
    if reached != last:
        parts.append(f"id: {reached}\n\n")
    return "".join(parts)
