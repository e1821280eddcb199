"""A model behind the chat completions API of OpenAI, on 127.0.0.1, that answers by a script.

    with serving(answer(call("write", filePath="a.txt", content="new")), answer(say("Done."))) as model:
        ...  # an agent whose provider has the base URL model.url
        model.requests[-1].told  # the last message of the user

A request gets the first answer that is meant for it and not used up. Answers are made of parts, played in order; what a
part does to the stream is its business: words, tool calls, a wait, an end of the connection in the middle.
"""

import itertools
import json
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_numbers = itertools.count(1)


class Gone(Exception):
    """The client has closed the connection."""


class Dropped(Exception):
    """A part has closed the connection."""


@dataclass
class Request:
    """What a client asked for, and how it went."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float = field(default_factory=time.time)
    outcome: str = "open"  # then: answered, gone (the client hung up), dropped (a part did), left over (no answer)

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body.get("messages", []))

    @property
    def told(self) -> str:
        """The last message of the user."""
        return next((words(m) for m in reversed(self.messages) if m["role"] == "user"), "")

    @property
    def results(self) -> list[str]:
        """What the tools gave since the last message of the user."""
        after = itertools.takewhile(lambda message: message["role"] != "user", reversed(self.messages))
        return [words(message) for message in after if message["role"] == "tool"][::-1]

    @property
    def conversation(self) -> str:
        return "\n".join(map(words, self.messages))

    @property
    def is_title(self) -> bool:
        """Whether it is one of the small requests that agents make beside the conversation: they have no tools."""
        return not self.body.get("tools")


def words(message: dict[str, Any]) -> str:
    """The text of a message."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


class Stream:
    """The reply to one request: server-sent events, in chunks, so that a client sees when the end is missing."""

    def __init__(self, handler: BaseHTTPRequestHandler, request: Request, stopping: threading.Event) -> None:
        self.handler, self.request, self.stopping = handler, request, stopping
        self.has_begun = False
        self.has_ended = False
        self.finish = "stop"
        self.usage = (100, 20, 0)
        self.calls = 0
        self._id = f"chatcmpl-{next(_numbers)}"

    def refuse(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        """An error instead of a stream."""
        data = json.dumps(body).encode()
        self.handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self._write(data)
        self.has_begun = self.has_ended = True

    def delta(self, **fields: Any) -> None:
        """A piece of the assistant's message."""
        self.event(self._chunk([{"index": 0, "delta": {"role": "assistant", **fields}, "finish_reason": None}]))

    def event(self, data: dict[str, Any] | str) -> None:
        """One event; a string is sent as it is."""
        if not self.has_begun:
            self.has_begun = True
            self.handler.send_response(200)
            self.handler.send_header("Content-Type", "text/event-stream")
            self.handler.send_header("Transfer-Encoding", "chunked")
            self.handler.end_headers()
        line = f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
        self._write(b"%x\r\n%s\r\n" % (len(line), line))

    def end(self) -> None:
        """Finish, with the usage."""
        if self.has_ended:
            return
        came, went, cached = self.usage
        usage = {
            "prompt_tokens": came,
            "completion_tokens": went,
            "total_tokens": came + went,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        self.event(self._chunk([{"index": 0, "delta": {}, "finish_reason": self.finish}]))
        self.event(self._chunk([], usage=usage))
        self.event("[DONE]")
        self._write(b"0\r\n\r\n")
        self.has_ended = True

    def wait(self, over: Callable[[float], bool], seconds: float) -> None:
        """Wait for what is waited for. Raises Gone as soon as the client hangs up."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not over(min(left, 0.02)):
            if self.stopping.is_set() or self._hung_up():
                raise Gone

    def _hung_up(self) -> bool:
        connection = self.handler.connection
        if not select.select([connection], [], [], 0)[0]:
            return False
        try:
            return not connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def drop(self) -> None:
        """Close the connection in the middle, with a reset."""
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.handler.connection.close()
        raise Dropped

    def _chunk(self, choices: list[Any], **fields: Any) -> dict[str, Any]:
        about = {"id": self._id, "object": "chat.completion.chunk", "created": int(time.time())}
        return {**about, "model": self.request.model, "choices": choices, **fields}

    def _write(self, data: bytes) -> None:
        try:
            self.handler.wfile.write(data)
            self.handler.wfile.flush()
        except OSError:
            raise Gone from None


Part = Callable[[Stream], None]


def never(seconds: float) -> bool:
    """What does not come to pass in so many seconds."""
    time.sleep(seconds)
    return False


@dataclass
class Answer:
    """Parts for the requests that it is meant for."""

    parts: tuple[Part, ...]
    to: str
    seen: str
    model: str
    left: int

    def suits(self, request: Request) -> bool:
        return (
            self.left != 0
            and (not self.model or self.model == request.model)
            and bool(re.search(self.to, request.told) and re.search(self.seen, request.conversation))
        )


def answer(*parts: Part, to: str = "", seen: str = "", model: str = "", times: int = 1) -> Answer:
    """An answer to requests in which `to` is found in the last message of the user, `seen` anywhere in the
    conversation (both regular expressions), for this model; -1 times: as often as it is asked."""
    return Answer(parts, to, seen, model, times)


def say(text: str, pause: float = 0.0, piece: int = 16) -> Part:
    """Words, in pieces with a pause after each."""

    def play(stream: Stream) -> None:
        for start in range(0, len(text), piece):
            stream.delta(content=text[start : start + piece])
            stream.wait(never, pause)

    return play


def think(text: str) -> Part:
    """Reasoning, as GLM and DeepSeek send it."""
    return lambda stream: stream.delta(reasoning_content=text)


def call(tool: str, **arguments: Any) -> Part:
    """Call a tool; the arguments come in two pieces."""
    return call_raw(tool, json.dumps(arguments))


def call_raw(tool: str, arguments: str) -> Part:
    """Call a tool with arguments that need be no JSON."""

    def play(stream: Stream) -> None:
        index, half = stream.calls, len(arguments) // 2
        stream.calls += 1
        about = {"id": f"call_{next(_numbers)}", "type": "function"}
        first = {"index": index, **about, "function": {"name": tool, "arguments": arguments[:half]}}
        stream.delta(tool_calls=[first])
        stream.delta(tool_calls=[{"index": index, "function": {"arguments": arguments[half:]}}])
        stream.finish = "tool_calls"

    return play


def usage(came: int, went: int, cached: int = 0) -> Part:
    """The tokens that this answer is said to have taken."""
    return lambda stream: setattr(stream, "usage", (came, went, cached))


def finish(reason: str) -> Part:
    """Why the answer ends: stop, length, content_filter, tool_calls."""
    return lambda stream: setattr(stream, "finish", reason)


def refuse(status: int, message: str, code: str = "", **headers: str) -> Part:
    """An error: `refuse(429, "Slow down", retry_after="30")`."""
    sent = {name.replace("_", "-").title(): value for name, value in headers.items()}
    body = {"error": {"message": message, "type": code or "error", "code": code or str(status)}}
    return lambda stream: stream.refuse(status, body, sent)


def hold(gate: threading.Event, seconds: float = 60.0) -> Part:
    """Wait until the test opens the gate, or the client hangs up."""
    return lambda stream: stream.wait(gate.wait, seconds)


def pause(seconds: float) -> Part:
    return lambda stream: stream.wait(never, seconds)


def drop() -> Part:
    """Reset the connection: at once, or in the middle when it comes after words."""
    return lambda stream: stream.drop()


def nonsense(line: str = '{"choices": [{"delta": ') -> Part:
    """An event that is no JSON."""
    return lambda stream: stream.event(line)


def endless(text: str = "and so on, ", every: float = 0.01) -> Part:
    """Words until the client hangs up."""

    def play(stream: Stream) -> None:
        while True:
            stream.delta(content=text)
            stream.wait(never, every)

    return play


class Model(ThreadingHTTPServer):
    """The server. `requests` has what was asked for, `titles` the small requests beside it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.titles: list[Request] = []
        self.stopping = threading.Event()
        self._choosing = threading.Lock()

    @property
    def url(self) -> str:
        """The base URL for a provider's configuration."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def add(self, *answers: Answer) -> None:
        """Further answers, after those that there are."""
        self.answers += answers

    def choose(self, request: Request) -> Answer | None:
        with self._choosing:
            if request.is_title:
                self.titles.append(request)
                return answer(say("A title"))
            self.requests.append(request)
            found = next((known for known in self.answers if known.suits(request)), None)
            if found:
                found.left -= 1
            return found

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error."""


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server: Model

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        request = Request(body, {name.lower(): value for name, value in self.headers.items()})
        stream = Stream(self, request, self.server.stopping)
        chosen = self.server.choose(request) if self.path.endswith("/chat/completions") else None
        parts = chosen.parts if chosen else (refuse(400, f"The script has no answer to: {request.told[:300]}"),)
        try:
            for part in parts:
                part(stream)
            stream.end()
            request.outcome = "answered" if chosen else "left over"
        except Gone:
            request.outcome = "gone"
            self.close_connection = True
        except Dropped:
            request.outcome = "dropped"
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        """Nothing: `requests` has it."""


@contextmanager
def serving(*answers: Answer) -> Iterator[Model]:
    """A server with these answers, in a thread."""
    model = Model(answers)
    thread = threading.Thread(target=model.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        model.stopping.set()
        model.shutdown()
        model.server_close()
        thread.join()
