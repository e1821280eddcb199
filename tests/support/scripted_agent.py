"""An ACP agent that does what a script says: `python -P tests/support/scripted_agent.py SCRIPT.json`.

`tests.support.scripts` writes the scripts and says what each step means. Every message that comes in is appended to the
script's log, also which turn of the script answered it; a turn that was begun counts as used in later processes too.
Sessions are kept below XDG_DATA_HOME, so that another process can load them.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acp import RequestError, run_agent, stdio_streams
from acp import helpers as say
from acp import schema as s
from acp.connection import StreamDirection, StreamEvent

Step = dict[str, Any]
PIECE = 24  # characters of text in one update, unless a step says otherwise


class Log:
    """What came in, one JSON object a line; shared by all processes of a script."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, **entry: Any) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"at": time.time(), "pid": os.getpid(), **entry}) + "\n")

    def observe(self, event: StreamEvent) -> None:
        """Note a message of the client."""
        if event.direction is StreamDirection.INCOMING:
            message = event.message
            if "method" in message:
                self.write(call=message["method"], params=message.get("params"))
            else:
                self.write(call="reply", result=message.get("result"), error=message.get("error"))

    def take(self, turns: list[dict[str, Any]], text: str) -> dict[str, Any]:
        """The first turn that is meant for this prompt and not used up; it is used by this."""
        with self._alone():
            used = [json.loads(line).get("turn") for line in self._path.read_text().splitlines()]
            for number, turn in enumerate(turns):
                left = turn["times"] == 0 or used.count(number) < turn["times"]
                if left and re.search(turn["to"], text):
                    self.write(turn=number, prompt=text)
                    return turn
        raise RequestError(-32603, f"The script has nothing left to answer: {text[:200]}")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self._path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Session:
    """A conversation, kept in a file."""

    def __init__(self, ident: str, cwd: str) -> None:
        self.id, self.cwd, self.said = ident, Path(cwd), list[tuple[str, str]]()
        self.turn: asyncio.Task[Any] | None = None
        self.deaf = False
        self.cancelled = False

    @staticmethod
    def path(ident: str) -> Path:
        return Path(os.environ["XDG_DATA_HOME"], "scripted", f"{ident}.json")

    @classmethod
    def load(cls, ident: str, cwd: str) -> "Session":
        """Raises FileNotFoundError when there is none."""
        session = cls(ident, cwd)
        session.said = [(who, text) for who, text in json.loads(cls.path(ident).read_text())]
        return session

    def add(self, who: str, text: str) -> None:
        self.said.append((who, text))
        self.save()

    def save(self) -> None:
        if "XDG_DATA_HOME" in os.environ:
            path = self.path(self.id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self.said))


class ScriptedAgent:
    """Answers the client's calls as the script has it."""

    def __init__(self, script: dict[str, Any], log: Log, out: asyncio.StreamWriter) -> None:
        self._script, self._log, self.out = script, log, out
        self._sessions: dict[str, Session] = {}
        self._choices: dict[str, str] = {}
        self.client: Any = None

    def on_connect(self, client: Any) -> None:
        self.client = client

    async def initialize(self, protocol_version: int, **_: Any) -> s.InitializeResponse:
        match self._script["handshake"]:
            case "never":
                await asyncio.Event().wait()
            case "exit":
                os._exit(3)
            case "error":
                raise RequestError(-32603, "This agent has no hands to shake")
        offers = self._script["offers"]
        return s.InitializeResponse(
            protocol_version=self._script["protocol"] or protocol_version,
            agent_info=s.Implementation(name="scripted", title="Scripted agent", version="1.0.0"),
            agent_capabilities=s.AgentCapabilities(
                load_session="load" in offers,
                session_capabilities=s.SessionCapabilities(
                    resume=s.SessionResumeCapabilities() if "resume" in offers else None,
                ),
            ),
        )

    async def new_session(self, cwd: str, **_: Any) -> s.NewSessionResponse:
        if self._script["login"]:
            raise RequestError.auth_required()
        session = Session(f"ses_{uuid.uuid4().hex[:12]}", cwd)
        session.save()
        self._sessions[session.id] = session
        return s.NewSessionResponse(session_id=session.id, config_options=self._options())

    async def load_session(self, cwd: str, session_id: str, **_: Any) -> s.LoadSessionResponse:
        session = self._found(cwd, session_id)
        for who, text in session.said:
            tell = say.update_user_message_text if who == "user" else say.update_agent_message_text
            await self.client.session_update(session_id, tell(text))
        return s.LoadSessionResponse(config_options=self._options())

    async def resume_session(self, cwd: str, session_id: str, **_: Any) -> s.ResumeSessionResponse:
        self._found(cwd, session_id)
        return s.ResumeSessionResponse(config_options=self._options())

    async def set_config_option(self, config_id: str, value: Any, **_: Any) -> s.SetSessionConfigOptionResponse:
        if value not in self._script["choices"].get(config_id, []):
            raise RequestError.invalid_params({"message": f"{config_id} cannot be {value}"})
        self._choices[config_id] = value
        return s.SetSessionConfigOptionResponse(config_options=self._options())

    async def prompt(self, prompt: list[Any], session_id: str, **_: Any) -> s.PromptResponse:
        session = self._sessions.get(session_id)
        if session is None:
            raise RequestError(-32602, "Session not found", {"sessionId": session_id})
        text = "".join(getattr(block, "text", "") for block in prompt)
        turn = self._log.take(self._script["turns"], text)
        session.add("user", text)
        session.deaf, session.cancelled = turn["deaf"], False
        session.turn = asyncio.ensure_future(Turn(self, session).play(turn["steps"]))
        try:
            reason = await session.turn
        except asyncio.CancelledError:
            if not session.cancelled:
                raise
            reason = "cancelled"
        usage = s.Usage(**turn["usage"]) if turn["usage"] else None
        return s.PromptResponse(stop_reason=reason, usage=usage)

    async def cancel(self, session_id: str, **_: Any) -> None:
        session = self._sessions.get(session_id)
        if session and session.turn and not session.deaf:
            session.cancelled = True
            session.turn.cancel()

    def _found(self, cwd: str, ident: str) -> Session:
        try:
            self._sessions[ident] = Session.load(ident, cwd)
        except FileNotFoundError:
            raise RequestError.resource_not_found(ident) from None
        return self._sessions[ident]

    def _options(self) -> list[Any]:
        return [
            s.SessionConfigOptionSelect(
                id=name,
                name=name.capitalize(),
                category=name if name in ("mode", "model") else None,
                type="select",
                current_value=self._choices.get(name, values[0]),
                options=[s.SessionConfigSelectOption(value=value, name=value) for value in values],
            )
            for name, values in self._script["choices"].items()
        ]


class Turn:
    """The steps of one turn. Each `do_…` plays one kind of step; one that gives a stop reason ends the turn."""

    def __init__(self, agent: ScriptedAgent, session: Session) -> None:
        self._agent, self._session = agent, session
        self._calls = 0

    async def play(self, steps: list[Step]) -> Any:
        return await self._play(steps) or "end_turn"

    async def _play(self, steps: list[Step]) -> str | None:
        for step in steps:
            fields = {key: value for key, value in step.items() if key != "do"}
            reason: str | None = await getattr(self, f"do_{step['do']}")(**fields)
            if reason:
                return reason
        return None

    async def _send(self, update: Any) -> None:
        await self._agent.client.session_update(self._session.id, update)

    async def do_text(self, text: str, piece: int = PIECE, pause: float = 0.0) -> None:
        self._session.add("agent", text)
        await self._stream(say.update_agent_message_text, text, piece, pause)

    async def do_thought(self, text: str, piece: int = PIECE, pause: float = 0.0) -> None:
        await self._stream(say.update_agent_thought_text, text, piece, pause)

    async def _stream(self, update: Any, text: str, piece: int, pause: float) -> None:
        for start in range(0, len(text), piece):
            await self._send(update(text[start : start + piece]))
            await asyncio.sleep(pause)

    async def do_plan(self, entries: list[list[Any]]) -> None:
        made = [say.plan_entry(content, status=status) for content, status in entries]
        await self._send(say.update_plan(made))

    async def do_tool(self, title: str, kind: Any, input: Any, output: str, status: Any) -> None:
        ident = self._call()
        await self._send(say.start_tool_call(ident, title, kind=kind, status="pending", raw_input=input))
        await self._send(say.update_tool_call(ident, status="in_progress"))
        await self._ended(ident, output, status)

    async def do_edit(self, path: str, text: str) -> None:
        """Write a file, as an edit that is shown with its difference."""
        where = self._session.cwd / path
        old = where.read_text() if where.exists() else None
        ident = self._call()
        places = [s.ToolCallLocation(path=str(where))]
        await self._send(say.start_tool_call(ident, path, kind="edit", status="pending", locations=places))
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)
        change = say.tool_diff_content(str(where), text, old)
        await self._send(say.update_tool_call(ident, status="completed", content=[change], locations=places))

    async def do_run(self, command: str) -> None:
        """Run a command; what it has said so far is sent with each line."""
        ident, said = self._call(), ""
        await self._send(
            say.start_tool_call(ident, command, kind="execute", status="in_progress", raw_input={"command": command})
        )
        process = await asyncio.create_subprocess_shell(
            command,
            cwd=self._session.cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        async for line in process.stdout:
            said += line.decode(errors="replace")
            await self._send(say.update_tool_call(ident, content=[say.tool_content(say.text_block(said))]))
        await self._ended(ident, said, "failed" if await process.wait() else "completed")

    async def do_usage(self, used: int, size: int, cost: float | None, currency: str) -> None:
        price = s.Cost(amount=cost, currency=currency) if cost is not None else None
        await self._send(s.UsageUpdate(session_update="usage_update", used=used, size=size, cost=price))

    async def do_ask(
        self, title: str, options: list[list[Any]], then: dict[str, list[Step]], **call: Any
    ) -> str | None:
        """Ask for permission; `then` has the steps for each answer, "" those for every other."""
        ident = self._call()
        change: list[Any] = []
        if "path" in call:
            where = self._session.cwd / call["path"]
            old = where.read_text() if where.exists() else None
            change = [say.tool_diff_content(str(where), call["text"], old)]
        kind: Any = "edit" if change else "execute"
        await self._send(say.start_tool_call(ident, title, kind=kind, status="pending"))
        about = s.ToolCallUpdate(
            tool_call_id=ident, title=title, kind=kind, content=change or None, raw_input=call.get("input")
        )
        offered = [s.PermissionOption(option_id=option, name=name, kind=kind) for option, name, kind in options]
        reply = await self._agent.client.request_permission(self._session.id, about, offered)
        answer = getattr(reply.outcome, "option_id", "cancelled")
        return await self._play(then.get(answer, then.get("", [])))

    async def do_together(self, branches: list[list[Step]]) -> str | None:
        """Play lists of steps at the same time; the first stop reason counts."""
        return next(filter(None, await asyncio.gather(*map(self._play, branches))), None)

    async def do_sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def do_later(self, seconds: float, text: str) -> None:
        """Go on telling of tools for 2 s, whatever has become of the turn."""

        async def tell() -> None:
            await asyncio.sleep(seconds)
            for _ in range(100):
                await self._send(say.start_tool_call(self._call(), text, kind="read", status="completed"))
                await asyncio.sleep(0.02)

        self._agent.later = asyncio.ensure_future(tell())

    async def do_await(self, path: str) -> None:
        """Wait until there is a file."""
        while not (self._session.cwd / path).exists():
            await asyncio.sleep(0.01)

    async def do_hang(self) -> None:
        await asyncio.Event().wait()

    async def do_exit(self, code: int) -> None:
        os._exit(code)

    async def do_die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def do_raw(self, line: str) -> None:
        """Write a line past the protocol."""
        self._agent.out.write(line.encode() + b"\n")
        await self._agent.out.drain()

    async def do_stderr(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    async def do_huge(self, size: int) -> None:
        """One update of that many bytes."""
        await self._send(say.update_agent_message_text("x" * size))

    async def do_update(self, update: dict[str, Any]) -> None:
        """An update as it is, even if no client knows it."""
        params = {"sessionId": self._session.id, "update": update}
        await self.do_raw(json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": params}))

    async def do_fail(self, code: int, message: str, data: Any) -> None:
        raise RequestError(code, message, data)

    async def do_end(self, reason: str) -> str:
        return reason

    def _call(self) -> str:
        self._calls += 1
        return f"call_{uuid.uuid4().hex[:8]}_{self._calls}"

    async def _ended(self, ident: str, output: str, status: Any) -> None:
        shown = [say.tool_content(say.text_block(output))]
        await self._send(say.update_tool_call(ident, status=status, content=shown, raw_output={"output": output}))


async def main(path: Path) -> None:
    """Serve until stdin ends, or for ever when the script says so."""
    script = json.loads(path.read_text())
    log = Log(Path(script["log"]))
    log.write(call="started", cwd=os.getcwd(), arguments=sys.argv[2:], environment=dict(os.environ))
    if "term" in script["ignores"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    reader, writer = await stdio_streams(limit=64 * 1024 * 1024)
    agent = ScriptedAgent(script, log, writer)
    await run_agent(agent, writer, reader, use_unstable_protocol=True, observers=[log.observe])  # type: ignore[arg-type]
    log.write(call="stdin ended")
    if "end of stdin" in script["ignores"]:
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["SPECYARD_SCRIPT"])))
