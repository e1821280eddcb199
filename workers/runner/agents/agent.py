"""An agent's process and what is said with it: the handshake, its sessions, and turns that end whatever happens."""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import acp
from acp import schema
from acp.exceptions import RequestError

from workers.runner.agents import home
from workers.runner.agents.faults import Fault, from_error
from workers.runner.agents.opencode import Opencode, Retry
from workers.runner.agents.patience import Patience
from workers.runner.agents.session import Listener, Session
from workers.runner.agents.watch import Watch
from workers.runner.agents.wire import Wire
from workers.runner.executors.base import Desk, Process, Reason
from workers.runner.exits import describe
from workers.runner.messages import Profile

log = logging.getLogger("specyard.runner")
T = TypeVar("T")

CANCEL_SECONDS = 5.0  # that a turn may take to end after it was cancelled
ERROR_TAIL = 2000  # bytes of what an agent said on its standard error
ERROR_LOG = 10_000_000
READ_ONLY_MODES = ("plan", "read-only", "readonly", "ask")


class Agent:
    """One process. It may hold several sessions and is kept from chunk to chunk."""

    def __init__(self, desk: Desk, profile: Profile) -> None:
        self.profile = profile
        self._desk = desk
        self.is_cold = True
        self.capabilities = schema.AgentCapabilities()
        self.opencode: Opencode | None = None
        self.work: Session | None = None  # the session in which the chunks are worked on
        self._listener = Listener()
        self._wire = Wire(self._hear_error)
        self._errors = b""
        self._error_stream = desk.mask.stream()
        self._process: Process | None = None
        self._connection: Any = None

    @staticmethod
    def key(profile: Profile) -> str:
        """What has to stay the same for a process to be used again: everything but what can be set per session."""
        same = profile.model_dump(include={"name", "command", "arguments", "environment", "secrets", "login_files"})
        return json.dumps(same, sort_keys=True)

    @property
    def is_alive(self) -> bool:
        return self._process is not None and not self._process.exited.done() and self._wire.fault is None

    def serve(self, desk: Desk, profile: Profile) -> None:
        """Go on for another request, within the limits that hold now."""
        self._desk = desk
        self.profile = profile
        if self._process is not None:
            desk.keep(self._process)

    # The beginning

    async def start(self, data: str, cwd: str) -> None:
        """Start the process and shake hands. Raises Fault."""
        profile = self.profile
        arguments, more = profile.arguments, {}
        if Opencode.suits(profile):
            self.opencode = Opencode(cwd)
            self._desk.mask.hide([self.opencode.password])
            arguments, more = [*arguments, *self.opencode.arguments], self.opencode.environment
        try:
            own = home.furnish(profile, data, profile.environment) if data else {}
            env = {**own, **{name: value.replace("{data}", data) for name, value in profile.environment.items()}}
            self._process = await self._desk.start(
                [profile.command, *arguments], {**more, **env, **profile.secrets}, self._wire.feed, self._hear_error
            )
        except (OSError, ValueError) as error:
            raise self._missing(error) from error
        self._wire.process = self._process
        self._process.exited.add_done_callback(lambda _: self._wire.end())
        self._connection = acp.ClientSideConnection(self._listener, self._wire)
        info = schema.Implementation(name="specyard", title="Specyard", version="1")
        hello = await self._patiently(self._connection.initialize(acp.PROTOCOL_VERSION, client_info=info))
        if hello.protocol_version != acp.PROTOCOL_VERSION:
            raise Fault(
                Reason.AGENT_PROTOCOL,
                f"The agent speaks version {hello.protocol_version} of the Agent Client Protocol, "
                f"Specyard version {acp.PROTOCOL_VERSION}.",
            )
        self.capabilities = hello.agent_capabilities or self.capabilities

    def _missing(self, error: Exception) -> Fault:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        command = self.profile.command
        return Fault(Reason.AGENT_MISSING, f"The agent {self.profile.name} could not be started ({command}): {why}.")

    async def open(self, cwd: str, earlier: str, session: Callable[[str], Session]) -> tuple[Session, bool]:
        """A session: the earlier one where the agent still knows it, else a new one. Whether it is the earlier one.

        Raises Fault.
        """
        if earlier and (found := await self._take_up(cwd, earlier, session)):
            return found, True
        made = await self._patiently(self._connection.new_session(cwd=cwd, mcp_servers=[]))
        return await self._ready(session(made.session_id), made), False

    async def _take_up(self, cwd: str, earlier: str, make: Callable[[str], Session]) -> Session | None:
        """The earlier session, when the agent has it still."""
        offered = self.capabilities.session_capabilities
        if offered is not None and offered.resume is not None:
            call = self._connection.resume_session
        elif self.capabilities.load_session:
            call = self._connection.load_session
        else:
            return None
        session = self._listener.sessions[earlier] = make(earlier)
        session.is_replaying = True
        try:
            answer = await self._patiently(call(cwd=cwd, session_id=earlier, mcp_servers=[]))
        except Fault as fault:
            if not self.is_alive or fault.reason in (Reason.AGENT_HANDSHAKE, Reason.PROVIDER_CREDENTIALS):
                raise
            del self._listener.sessions[earlier]
            log.info("session %s cannot be taken up again: %s", earlier, fault)
            return None
        session.is_replaying = False
        session.begin_counting(await self.opencode.used(session.id) if self.opencode else None)
        return await self._ready(session, answer)

    async def _ready(self, session: Session, answer: Any) -> Session:
        self._listener.sessions[session.id] = session
        session.options = list(answer.config_options or [])
        session.modes = [mode.id for mode in answer.modes.available_modes] if answer.modes else []
        session.mode = answer.modes.current_mode_id if answer.modes else ""
        return session

    async def configure(self, session: Session, model: str, mode: str) -> None:
        """Set the model and the mode of a session, where they are wished for. Raises Fault."""
        if model and session.model != model:
            await self._choose(session, "model", model, Reason.PROVIDER_MODEL)
            session.model = model
        if mode and session.mode != mode:
            if mode in session.modes:
                await self._patiently(self._connection.set_session_mode(session_id=session.id, mode_id=mode))
            else:
                await self._choose(session, "mode", mode, Reason.BAD_PARAMS)
            session.mode = mode

    def read_only_mode(self, session: Session) -> str:
        """The mode of this agent in which it changes nothing; "" when it has none by a known name."""
        offered = [*session.modes, *_values(_option(session, "mode"))]
        return next((mode for mode in READ_ONLY_MODES if mode in offered), "")

    async def _choose(self, session: Session, what: str, value: str, reason: Reason) -> None:
        option = _option(session, what)
        offered = _values(option)
        # Some agents name a variant in brackets behind a model's name, such as opus[1m].
        chosen = next((one for one in (value, *offered) if one in offered and one.partition("[")[0] == value), value)
        if option is None or chosen not in offered:
            known = ", ".join(offered[:20]) or "none"
            raise Fault(reason, f"The agent {self.profile.name} does not offer the {what} {value}. It offers: {known}.")
        await self._patiently(
            self._connection.set_config_option(config_id=option.id, session_id=session.id, value=chosen)
        )

    async def _patiently(self, call: Awaitable[T]) -> T:
        """The answer to a call of the beginning. Raises Fault."""
        patience = Patience(self.profile.handshake, self._desk.is_running)
        return await self._answer(call, patience, Reason.AGENT_HANDSHAKE)

    # Turns

    async def turn(self, session: Session, text: str, on_retry: Callable[[Retry | None], bool]) -> str:
        """Say something and listen to the end of the turn; why it ended. Raises Fault.

        `on_retry` hears whether the agent waits for the provider by itself, and says whether its silence counts then.
        It may raise Fault.
        """
        session.new_turn()
        session.turns += 1
        session.is_in_turn = True
        watch = Watch(self.opencode, session.id, on_retry)
        patience = Patience(self.profile.silence, lambda: self._may_speak(session), watch.look)
        session.heard = lambda: self._heard(patience, on_retry)
        prompt = self._connection.prompt(session_id=session.id, prompt=[acp.text_block(text)])
        try:
            response = await self._answer(prompt, patience, Reason.AGENT_SILENT, session)
            session.count(response)
            return str(response.stop_reason)
        finally:
            session.is_in_turn = False
            session.leave_questions()
            session.heard = lambda: None
            if self.opencode is not None and self.is_alive:
                session.count_all(await self.opencode.used(session.id))

    async def count(self, session: Session) -> None:
        """Take in what the turn under way has used so far, where that can be asked."""
        if self.opencode is not None and self.is_alive:
            used = await self.opencode.used(session.id)
            if session.is_in_turn:  # else it is older than what the end of the turn has told
                session.count_all(used)

    @staticmethod
    def _heard(patience: Patience, on_retry: Callable[[Retry | None], bool]) -> None:
        patience.sign_of_life()
        on_retry(None)  # whatever it has waited for is over

    def _may_speak(self, session: Session) -> bool:
        """Whether anything could come from it now."""
        return self._desk.is_running() and not session.waiting

    async def cancel(self, session: Session) -> None:
        """Have the turn under way end early. It ends as every turn does, soon."""
        session.leave_questions()
        if self.is_alive:
            with contextlib.suppress(ConnectionError):
                await self._connection.cancel(session_id=session.id)

    async def _answer(
        self, call: Awaitable[T], patience: Patience, reason: Reason, session: Session | None = None
    ) -> T:
        """The answer to a call, unless the agent ends, falls silent or speaks nonsense. Raises Fault."""
        task = asyncio.ensure_future(call)
        silence = asyncio.ensure_future(patience.run_out())
        try:
            await asyncio.wait({task, silence}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and session is not None:
                await self.cancel(session)
                await asyncio.wait({task}, timeout=CANCEL_SECONDS)
            if silence.done():
                silence.result()  # a fault that was found meanwhile
                if not (task.done() and session is None):
                    raise self._silent(reason)
            return task.result()
        except RequestError as error:
            mask = self._desk.mask  # before anything is cut
            raise from_error(error.code, mask.text(str(error)), mask.value(error.data)) from error
        except ConnectionError as error:
            raise await self._ended() from error
        finally:
            for one in (task, silence):
                one.cancel()
            await asyncio.wait({task, silence}, timeout=1)
            if task.done() and not task.cancelled():
                task.exception()  # heard of, or of no interest any more

    def _silent(self, reason: Reason) -> Fault:
        if reason is Reason.AGENT_HANDSHAKE:
            seconds = f"{self.profile.handshake:g}"
            return Fault(reason, f"The agent {self.profile.name} did not answer within {seconds} s.{self._said()}")
        return Fault(reason, f"Nothing came from the agent {self.profile.name} for {self.profile.silence:g} s.")

    async def _ended(self) -> Fault:
        """Why nothing comes any more."""
        if self._wire.fault is not None:
            return self._wire.fault
        assert self._process is not None
        await asyncio.wait({self._process.exited}, timeout=1)
        code = self._process.exited.result() if self._process.exited.done() else None
        how = "closed its output" if code is None else describe(code)
        return Fault(Reason.AGENT_EXITED, f"The agent {self.profile.name} {how}.{self._said()}")

    def _said(self) -> str:
        self._keep_error(self._error_stream.flush())
        text = self._errors.decode(errors="replace").strip()
        return f" It said: {text[-500:]}" if text else ""

    def _hear_error(self, data: bytes) -> None:
        """Keep the end of what it says beside the protocol; all of it is in the run's agent.log."""
        self._keep_error(self._error_stream.feed(data))

    def _keep_error(self, told: bytes) -> None:
        self._errors = (self._errors + told)[-ERROR_TAIL:]
        with contextlib.suppress(OSError), open(self._desk.directory / "agent.log", "ab", opener=_for_owner) as file:
            if file.tell() < ERROR_LOG:
                file.write(told)

    @property
    def process(self) -> Process | None:
        return self._process


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _option(session: Session, what: str) -> Any:
    """The session's option with this category, or with this id."""
    by_category = [option for option in session.options if option.category == what]
    return next(iter(by_category or [option for option in session.options if option.id == what]), None)


def _values(option: Any) -> list[str]:
    """What can be chosen, groups and all."""
    found = []
    for item in getattr(option, "options", None) or []:
        found += [one.value for one in item.options] if hasattr(item, "group") else [item.value]
    return found
