"""A bare ACP client: the package's own connection, and notes of every message as it came."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from acp import PROTOCOL_VERSION, connect_to_agent, text_block
from acp import schema as s
from acp.connection import StreamDirection, StreamEvent

PATIENCE = 60.0
Answer = Callable[[dict[str, Any]], str]  # what is asked → the id of an option, "" cancels


class Client:
    """An agent's process, and the connection to it."""

    def __init__(self, process: asyncio.subprocess.Process, cwd: Path, answer: Answer) -> None:
        assert process.stdin
        assert process.stdout
        self.process, self.cwd = process, cwd
        self._answer = answer
        self.received: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self.agent = connect_to_agent(
            self,  # type: ignore[arg-type]
            process.stdin,
            process.stdout,
            use_unstable_protocol=True,
            observers=[self._observe],
        )

    async def initialize(self) -> s.InitializeResponse:
        about = s.Implementation(name="specyard-tests", version="1")
        return await bounded(self.agent.initialize(protocol_version=PROTOCOL_VERSION, client_info=about))

    async def new_session(self) -> s.NewSessionResponse:
        return await bounded(self.agent.new_session(cwd=str(self.cwd)))

    async def begin(self) -> str:
        """Shake hands and open a session: its id."""
        await self.initialize()
        return (await self.new_session()).session_id

    async def prompt(self, session: str, words: str) -> s.PromptResponse:
        return await bounded(self.agent.prompt(session_id=session, prompt=[text_block(words)]))

    async def request_permission(self, session_id: str, tool_call: Any, options: Any, **_: Any) -> Any:
        asked = self.requests("session/request_permission")[-1]
        choice = self._answer(asked)
        outcome = (
            s.AllowedOutcome(outcome="selected", option_id=choice) if choice else s.DeniedOutcome(outcome="cancelled")
        )
        return s.RequestPermissionResponse(outcome=outcome)

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        """The notes have it."""

    def requests(self, method: str) -> list[dict[str, Any]]:
        """The parameters of what the agent asked or told by this method."""
        return [message.get("params") or {} for message in self.received if message.get("method") == method]

    def updates(self, kind: str = "") -> list[dict[str, Any]]:
        """The session updates so far, of one kind or all."""
        told = [params["update"] for params in self.requests("session/update")]
        return [update for update in told if kind in ("", update["sessionUpdate"])]

    def text(self, kind: str = "agent_message_chunk") -> str:
        """The words of the agent so far."""
        return "".join(update["content"].get("text", "") for update in self.updates(kind))

    async def until(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """The first truthy value of the condition, looked at after each message."""
        async with asyncio.timeout(seconds):
            while not (value := condition()):
                self._news.clear()
                await self._news.wait()
        return value

    def kill(self) -> None:
        """SIGKILL for the agent."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)

    def _observe(self, event: StreamEvent) -> None:
        if event.direction is StreamDirection.INCOMING:
            self.received.append(event.message)
            self._news.set()


async def bounded(waiting: Any) -> Any:
    """What is awaited, within the time that a test has."""
    async with asyncio.timeout(PATIENCE):
        return await waiting


@asynccontextmanager
async def speaking(
    argv: Sequence[str], cwd: Path, environment: dict[str, str] | None = None, answer: Answer = lambda asked: ""
) -> AsyncIterator[Client]:
    """An agent with a client; the process is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=cwd,
        env={**(os.environ if environment is None else environment), "PWD": str(cwd)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    client = Client(process, cwd, answer)
    try:
        yield client
    finally:
        client.kill()
        await process.wait()
        await client.agent.close()
