"""What opencode tells by HTTP alone and not over the protocol: that it waits for a provider, and true tokens.

It answers rate limits and broken connections by trying again for ever, in silence. Its server listens on 127.0.0.1
whether it is wanted or not, without a password unless it gets one. (1.18: `GET /session/status`, `GET /session/ID`.)
"""

import asyncio
import base64
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

    async def retry(self, session: str) -> Retry | None:
        """What it waits for, if it does."""
        found = await self._get("/session/status")
        state = found.get(session) if isinstance(found, dict) else None
        if not isinstance(state, dict) or state.get("type") != "retry":
            return None
        try:
            until = datetime.fromtimestamp(float(state["next"]) / 1000, UTC)
            return Retry(int(state["attempt"]), str(state["message"]), until)
        except STRANGE:
            return None

    async def used(self, session: str) -> dict[str, float] | None:
        """What the whole session has used so far: tokens in, out and, of those in, from a cache; the cost."""
        found = await self._get(f"/session/{urllib.parse.quote(session)}")
        try:
            told = found["tokens"]
            cached = int(told["cache"]["read"])
            return {
                "tokens_in": int(told["input"]) + cached + int(told["cache"]["write"]),
                "tokens_out": int(told["output"]) + int(told["reasoning"]),
                "cached": cached,
                "cost": float(found["cost"]),
            }
        except STRANGE:
            return None

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
