"""What opencode tells by HTTP alone and not over the protocol: that it waits for a provider, what its subagents do, and
true tokens.

It answers rate limits and broken connections by trying again for ever, in silence, and of a subagent it tells nothing
before that is done. Its server listens on 127.0.0.1 whether it is wanted or not, without a password unless it gets one.
(1.18: `GET /session/status`, which has those that are busy; of a session `GET /session/ID`, and below that `/children`,
which are its subagents', and `/message`.)
"""

import asyncio
import base64
import hashlib
import http.client
import json
import os
import secrets
import socket
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from workers.runner.messages import Profile

TIMEOUT = 2.0
STRANGE = (KeyError, TypeError, ValueError, OverflowError, OSError)  # what an answer of another shape raises
USER = "opencode"


@dataclass(frozen=True)
class Retry:
    """The agent waits by itself before it tries the provider again, for the `attempt`th time."""

    attempt: int
    message: str
    until: datetime


@dataclass(frozen=True)
class State:
    """What it is at. `signs` change when a subagent does something; "" when none is at work, or nobody knows."""

    retry: Retry | None = None
    signs: str = ""


class Opencode:
    """The server of one process."""

    def __init__(self, cwd: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.password = secrets.token_urlsafe(24)
        self._cwd = cwd

    @staticmethod
    def suits(profile: Profile) -> bool:
        """Whether the profile starts opencode, and leaves the port to us."""
        name = os.path.basename(profile.command)
        return (
            name in ("opencode", "opencode.exe")
            and profile.arguments[:1] == ["acp"]
            and "--port" not in profile.arguments
        )

    @property
    def arguments(self) -> list[str]:
        return ["--port", str(self._port)]

    @property
    def environment(self) -> dict[str, str]:
        """Keeps everybody else on this machine from steering it."""
        return {"OPENCODE_SERVER_PASSWORD": self.password}

    async def state(self, session: str) -> State:
        """What a session is at. It waits for the provider when it does itself, or each of its subagents does."""
        found = await self._get("/session/status")
        busy = found if isinstance(found, dict) else {}
        if (retry := _retry(busy.get(session))) or not busy.keys() - {session}:
            return State(retry)
        children = [name for child in await self._children(session) or () if (name := str(child.get("id"))) in busy]
        retries = [_retry(busy[child]) for child in children]
        waits = [retry for retry in retries if retry is not None]
        if waits and len(waits) == len(children):
            return State(min(waits, key=lambda retry: retry.until))
        last = [await self._get(f"{_path(child)}/message?limit=1") for child in children]
        known = children and all(last)
        return State(signs=hashlib.sha256(json.dumps(last).encode()).hexdigest() if known else "")

    async def used(self, session: str) -> dict[str, float] | None:
        """What the whole session has used so far, its subagents too; None when nobody knows.

        Tokens in, out and, of those in, read from a cache and written to one; the cost.
        """
        own, children = await self._get(_path(session)), await self._children(session)
        if children is None:
            return None
        try:
            each = [_used(one) for one in (own, *children)]
        except STRANGE:
            return None
        return {name: sum(used[name] for used in each) for name in each[0]}

    async def _children(self, session: str) -> list[dict[str, Any]] | None:
        """The sessions of its subagents, also of those that are done; None when nobody knows."""
        found = await self._get(f"{_path(session)}/children")
        return found if isinstance(found, list) and all(isinstance(child, dict) for child in found) else None

    async def _get(self, path: str) -> Any:
        return await asyncio.to_thread(self._fetch, path)

    def _fetch(self, path: str) -> Any:
        """None when it does not answer: then it is asked again later."""
        token = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "x-opencode-directory": self._cwd}
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIMEOUT) as answer:
                return json.load(answer)
        except (OSError, ValueError, http.client.HTTPException):
            return None


def _path(session: str) -> str:
    return f"/session/{urllib.parse.quote(session)}"


def _retry(state: Any) -> Retry | None:
    """What a session waits for, if its state says that it does."""
    if not isinstance(state, dict) or state.get("type") != "retry":
        return None
    try:
        until = datetime.fromtimestamp(float(state["next"]) / 1000, UTC)
        return Retry(int(state["attempt"]), str(state["message"]), until)
    except STRANGE:
        return None


def _used(session: Any) -> dict[str, float]:
    """Raises one of STRANGE."""
    told = session["tokens"]
    read, written = int(told["cache"]["read"]), int(told["cache"]["write"])
    return {
        "tokens_in": int(told["input"]) + read + written,
        "tokens_out": int(told["output"]) + int(told["reasoning"]),
        "cached_read": read,
        "cached_written": written,
        "cost": float(session["cost"]),
    }
