"""Turn after turn until an agent has come to an end by itself: pauses, people's words, limits and faults in between."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from workers.runner.agents import prompts
from workers.runner.agents.agent import Agent
from workers.runner.agents.faults import Fault, from_error
from workers.runner.agents.opencode import Retry
from workers.runner.agents.session import Session
from workers.runner.agents.transcript import Transcript
from workers.runner.executors.base import Desk, Reason
from workers.runner.messages import Tell

# Seconds to wait before each new try; when they are used up the attempt fails.
WAITS = {
    Reason.PROVIDER_RATE_LIMIT: (15.0, 60.0, 300.0, 900.0, 900.0),
    Reason.PROVIDER_CONNECTION: (2.0, 8.0, 30.0),
    Reason.AGENT_EXITED: (0.5, 2.0),
}
LONGEST_WAIT = timedelta(hours=1)  # for a rate limit that says when it ends
MOST_LIMITS = 3  # turns in a row that ended at a limit of the model
MOST_EMPTY = 1
MOST_BLOCKED = 5
MOST_DENIED = 10
MOST_RETRIES = {Reason.PROVIDER_RATE_LIMIT: 20}  # that an agent makes by itself
USUAL_RETRIES = 8
CANCEL_AGAIN = 0.4  # seconds
FAULT = "fault"
DEADLY = (Reason.AGENT_EXITED, Reason.AGENT_PROTOCOL)  # faults that are more than the end of a cancelled turn
LIMITS = ("max_tokens", "max_turn_requests")
BLOCKED = re.compile(rf"^\W*{prompts.BLOCKED}\W*(.+)", re.MULTILINE | re.DOTALL)

Talk = tuple[Agent, Session, bool]
# Gives the whole of what an agent is to do; for a session that knows nothing of what was before, with all of that.
Whole = Callable[[bool], str]


@dataclass
class Counts:
    """What has happened so often since the agent last got on."""

    limits: int = 0
    empty: int = 0
    blocked: int = 0
    denied: int = 0
    faults: dict[Reason, int] = field(default_factory=dict)


class Conversation:
    """What is said with one agent for one request."""

    def __init__(self, desk: Desk, transcript: Transcript, talk: Callable[[], Awaitable[Talk]]) -> None:
        """`talk` gives a living agent, the session to speak in, and whether that is new. It may raise Fault."""
        self._desk = desk
        self._transcript = transcript
        self._talk = talk
        self._counts = Counts()
        self._current: tuple[Agent, Session] | None = None  # while a turn is under way
        self._over = asyncio.Event()  # no turn is under way
        self._over.set()
        self._cancelled_for = ""  # "pause" or "message"
        self._retry: Retry | None = None  # what the agent waits for by itself
        self._off_the_clock = contextlib.ExitStack()
        self.session: Session | None = None

    async def pause(self) -> None:
        """End the turn under way, if there is one; the session stays."""
        try:
            while not self._over.is_set():
                await self._cut_short("pause")
                with contextlib.suppress(TimeoutError):  # a turn that was just beginning may not have heard it
                    await asyncio.wait_for(self._over.wait(), CANCEL_AGAIN)
        except asyncio.CancelledError:  # it does not obey: its turn will go on
            self._cancelled_for = ""
            raise

    def mail_came(self) -> None:
        """A person has said something. The turn is cut short if it is urgent; else its end is soon enough."""
        if any(message.now for message in self._desk.mailbox):
            self._cutting = asyncio.ensure_future(self._cut_short("message"))

    async def _cut_short(self, why: str) -> None:
        if self._current is not None:
            self._cancelled_for = why
            agent, session = self._current
            await agent.cancel(session)

    async def say(self, whole: Whole) -> Session:
        """Speak until the agent has come to an end by itself. Raises Fault."""
        text: str | None = ""
        while text is not None:
            stop = await self._say_once(text, whole)
            text = await self._what_next(stop, text)
        assert self.session is not None
        return self.session

    async def _what_next(self, stop: str, text: str) -> str | None:
        """What to say after a turn ("": the whole again); None when all is said. Raises Fault."""
        session, counts = self.session, self._counts
        why, self._cancelled_for = self._cancelled_for, ""
        if session is None:  # there was none yet
            return text
        if stop == FAULT:
            return prompts.GO_ON_AFTER_FAULT if session.has_done_something else text
        if why:  # some agents say that a cancelled turn ended as usual
            return prompts.GO_ON
        if self._desk.mailbox:
            return prompts.A_PERSON_SAYS
        if session.denied and (any(session.denied) or not session.went_on):
            counts.denied += 1
            if counts.denied > MOST_DENIED:
                raise Fault(Reason.AGENT_BLOCKED, "The agent goes on asking for what is not permitted.")
            return "\n\n".join((prompts.NOT_PERMITTED, *filter(None, session.denied)))
        if stop == "refusal":
            raise Fault(Reason.AGENT_REFUSED, "The model refuses to go on.")
        if stop in LIMITS:
            counts.limits += 1
            if counts.limits > MOST_LIMITS:
                raise Fault(
                    Reason.AGENT_LIMIT, f"The model has reached its limit {counts.limits} times in a row ({stop})."
                )
            return prompts.GO_ON_AFTER_LIMIT
        if stop == "cancelled" or not session.has_done_something:
            counts.empty += 1
            if counts.empty > MOST_EMPTY:
                raise Fault(Reason.AGENT_EMPTY, "The agent ended its turn without a word and without using a tool.")
            return prompts.NOTHING_DONE
        return await self._answer_if_blocked(session)

    async def _answer_if_blocked(self, session: Session) -> str | None:
        """When the agent has asked a person: the answer, as what to say next."""
        found = list(BLOCKED.finditer(session.words[-4000:]))
        if not found:
            return None
        question = found[-1][1].strip()
        self._counts.blocked += 1
        if self._counts.blocked > MOST_BLOCKED:
            raise Fault(Reason.AGENT_BLOCKED, f"The agent cannot go on: {question}")
        asked: dict[str, Any] = {
            "title": "The agent cannot go on",
            "text": question,
            "command": "",
            "diffs": [],
            "options": [],
        }
        key = self._desk.new_question()
        self._transcript.add("asked", question=key, what="blocked", **asked)
        answer = await self._desk.ask(key, what="blocked", **self._transcript.redactor.value(asked))
        self._transcript.add("answered", question=key, option="", text=answer.text, by="person")
        return answer.text or "Decide yourself, and go on."

    async def _say_once(self, text: str, whole: Whole) -> str:
        """One turn; why it ended: as the protocol says, or FAULT when it may be tried again. Raises Fault."""
        await self._desk.until_running()
        try:
            agent, session, is_new = await self._talk()
            if not text or (is_new and session is not self.session):
                text = "\n\n".join(part for part in (whole(is_new), text) if part)
            self.session = session
            return await self._turn(agent, session, self._with_mail(text))
        except Fault as fault:
            if self._cancelled_for and fault.reason not in DEADLY:
                return "cancelled"
            await self._wait_out(fault)
            return FAULT

    async def _turn(self, agent: Agent, session: Session, text: str) -> str:
        self._transcript.add("prompt", text=text)
        self._current = (agent, session)
        self._over.clear()
        try:
            stop = await agent.turn(session, text, self._retrying)
        finally:
            self._retrying(None)
            self._current = None
            self._over.set()
            usage = session.usage.facts()
            self._desk.journal("usage", **usage)
            self._transcript.add("usage", **usage)
        self._counts.faults.clear()
        return stop

    def _retrying(self, retry: Retry | None) -> bool:
        """Hear whether the agent waits for the provider by itself; whether its silence counts. Raises Fault."""
        if retry is None:
            if self._retry is not None:
                self._retry = None
                self._off_the_clock.close()
                self._desk.journal("going_on")
            return True
        if retry != self._retry:
            fault = from_error(0, retry.message, None)
            fault.until, fault.is_final = retry.until, True
            too_long = retry.until - datetime.now(UTC) > LONGEST_WAIT
            if too_long or retry.attempt > MOST_RETRIES.get(fault.reason, USUAL_RETRIES):
                raise fault
            if self._retry is None:
                self._off_the_clock.enter_context(self._desk.off_the_clock())
            self._retry = retry
            self._tell_wait(fault, retry.until)
        return False

    def _tell_wait(self, fault: Fault, until: datetime) -> None:
        told = self._transcript.redactor.text(fault.message)
        self._transcript.note(f"{told} Trying again at {until.astimezone():%H:%M:%S}.", level="warn")
        self._desk.journal("waiting", reason=fault.reason, until=until.isoformat(), text=told)

    def _with_mail(self, text: str) -> str:
        """The text with what people have said before it."""
        mail: list[Tell] = list(self._desk.mailbox)
        self._desk.mailbox.clear()
        for message in mail:
            self._transcript.add("message", id=message.message, text=message.text)
            self._desk.journal("told", message=message.message)
        return "\n\n".join(part for part in (*(message.text for message in mail), text) if part)

    async def _wait_out(self, fault: Fault) -> None:
        """Wait before a new try where one can help; raises the fault where none can."""
        waits = WAITS.get(fault.reason, ())
        tries = self._counts.faults.get(fault.reason, 0)
        now = datetime.now(UTC)
        if fault.is_final or tries >= len(waits) or (fault.until and fault.until - now > LONGEST_WAIT):
            raise fault
        self._counts.faults[fault.reason] = tries + 1
        seconds = waits[tries]
        if fault.until is not None:
            seconds = max((fault.until - now).total_seconds(), 0.0) + 1
        self._tell_wait(fault, now + timedelta(seconds=seconds))
        with self._desk.off_the_clock():
            await asyncio.sleep(seconds)
        self._desk.journal("going_on")
