"""Turn after turn until an agent has come to an end by itself: pauses, people's words, limits and faults in between."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from workers.runner.agents import prompts
from workers.runner.agents.agent import Agent
from workers.runner.agents.faults import Fault, from_error
from workers.runner.agents.opencode import Retry
from workers.runner.agents.session import Session, Usage
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
MOST_IN_A_ROW = {"limit": 3, "empty": 1, "blocked": 5, "denied": 10, "cancelled": 3}  # turns
MOST_RETRIES = {Reason.PROVIDER_RATE_LIMIT: 20}  # that an agent makes by itself
USUAL_RETRIES = 8
CANCEL_AGAIN = 0.4  # seconds
COUNT_EVERY = 2.0  # seconds between two looks at what a turn has used so far
FAULT = "fault"
DEADLY = (Reason.AGENT_EXITED, Reason.AGENT_PROTOCOL)  # faults that are more than the end of a cancelled turn
LIMITS = ("max_tokens", "max_turn_requests")
BLOCKED = re.compile(rf"^[\s>*_`]*{prompts.BLOCKED}[\s*_`]*(.+)$")

Talk = tuple[Agent, Session, bool]
# Gives the whole of what an agent is to do; for a session that knows nothing of what was before, with all of that.
Whole = Callable[[bool], str]


class Conversation:
    """What is said with one agent for one request."""

    def __init__(
        self,
        desk: Desk,
        transcript: Transcript,
        talk: Callable[[], Awaitable[Talk]],
        mailbox: list[Tell] | None,
    ) -> None:
        """`talk` gives a living agent, the session to speak in, and whether that is new. It may raise Fault.

        `mailbox`: what people have said and nobody has been told yet; None when nobody is heard or asked.
        """
        self._desk = desk
        self._transcript = transcript
        self._talk = talk
        self._asks_people = mailbox is not None
        self._mailbox: list[Tell] = [] if mailbox is None else mailbox
        self._mail: list[Tell] = []  # what people have said during this request, and is known to be heard or not
        self._unheard: list[Tell] = []  # of these what is said in the turn that begins, or has to be said again
        self._problem = ("", 0)  # what has come in a row, and how often
        self._faults: dict[Reason, int] = {}  # the same for faults
        self._before = Usage()  # of sessions that this request had before the one of now
        self._current: tuple[Agent, Session] | None = None  # while a turn is under way
        self._over = asyncio.Event()  # no turn is under way
        self._over.set()
        self._cancelled_for = ""  # "pause" or "message"
        self._retry: Retry | None = None  # what the agent waits for by itself
        self._off_the_clock = contextlib.ExitStack()
        self.session: Session | None = None

    @property
    def usage(self) -> Usage:
        """What all turns of the request have used."""
        return self._before.with_(self.session.usage) if self.session else self._before

    async def pause(self) -> None:
        """End the turn under way, if there is one; the session stays."""
        while not self._over.is_set():
            await self._cut_short("pause")
            with contextlib.suppress(TimeoutError):  # a turn that was just beginning may not have heard it
                await asyncio.wait_for(self._over.wait(), CANCEL_AGAIN)

    def mail_came(self) -> None:
        """A person has said something. The turn is cut short if it is urgent; else its end is soon enough."""
        if any(message.now for message in self._mailbox):
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
        session = self.session
        why, self._cancelled_for = self._cancelled_for, ""
        if session is None:  # there was none yet
            return text
        if stop == FAULT:
            return prompts.GO_ON_AFTER_FAULT if session.has_done_something else text
        if why:  # some agents say that a cancelled turn ended as usual
            return prompts.GO_ON
        if stop == "cancelled":
            self._again("cancelled", Reason.AGENT_EMPTY, "The agent ends its turns before it is done")
            return prompts.GO_ON
        if self._mailbox:
            return prompts.A_PERSON_SAYS
        if session.denied and (any(session.denied) or not session.went_on):
            self._again("denied", Reason.AGENT_BLOCKED, "The agent goes on asking for what is not permitted")
            return "\n\n".join((prompts.NOT_PERMITTED, *filter(None, session.denied)))
        if stop == "refusal":
            raise Fault(Reason.AGENT_REFUSED, "The model refuses to go on.")
        if stop in LIMITS:
            self._again("limit", Reason.AGENT_LIMIT, f"The model has reached its limit of one turn ({stop})")
            return prompts.GO_ON_AFTER_LIMIT
        if not session.has_done_something:
            self._again("empty", Reason.AGENT_EMPTY, "The agent ends its turn without a word and without using a tool")
            return prompts.NOTHING_DONE
        return await self._answer_if_blocked(session)

    def _again(self, problem: str, reason: Reason, what: str) -> None:
        """Count what has happened again. Raises Fault when it was so often in a row that it will not stop."""
        before, times = self._problem
        times = times + 1 if before == problem else 1
        self._problem = problem, times
        if times > MOST_IN_A_ROW[problem]:
            raise Fault(reason, f"{what}, {times} times in a row." if times > 2 else f"{what}.")

    async def _answer_if_blocked(self, session: Session) -> str | None:
        """When the agent has asked a person: the answer, as what to say next."""
        lines = session.words.strip().splitlines()
        found = BLOCKED.match(lines[-1]) if lines and self._asks_people else None
        if found is None:
            return None
        question = found[1].strip()
        self._again("blocked", Reason.AGENT_BLOCKED, f"The agent cannot go on: {question}")
        asked: dict[str, Any] = {"title": "The agent cannot go on", "text": question, "command": ""}
        asked |= {"diffs": [], "options": []}
        key = self._desk.new_question()
        self._transcript.add("asked", question=key, what="blocked", **asked)
        answer = await self._desk.ask(key, what="blocked", **asked)
        self._transcript.add("answered", question=key, option="", text=answer.text, by="person")
        return answer.text or "Decide yourself, and go on."

    async def _say_once(self, text: str, whole: Whole) -> str:
        """One turn; why it ended: as the protocol says, or FAULT when it may be tried again. Raises Fault."""
        await self._desk.until_running()
        try:
            agent, session, is_new = await self._talk()
            if session is not self.session:
                if is_new:
                    self._unheard = list(self._mail)  # it knows nothing of what people have said
                    text = "\n\n".join(part for part in (whole(True), text) if part)
                self._before, self.session = self.usage, session
            return await self._turn(agent, session, self._with_mail(text or whole(is_new)))
        except Fault as fault:
            if self._cancelled_for and fault.reason not in DEADLY:
                return "cancelled"
            await self._wait_out(fault)
            return FAULT

    async def _turn(self, agent: Agent, session: Session, text: str) -> str:
        self._transcript.add("prompt", text=text)
        self._current = (agent, session)
        self._over.clear()
        counting = asyncio.ensure_future(self._count(agent, session))
        try:
            stop = await agent.turn(session, text, self._retrying)
        finally:
            counting.cancel()
            self._retrying(None)
            if session.has_done_something:
                self._was_heard()
            self._current = None
            self._over.set()
            usage = self.usage.facts()
            self._desk.journal("usage", **usage)
            self._transcript.add("usage", **usage)
        self._was_heard()
        self._faults.clear()
        return stop

    async def _count(self, agent: Agent, session: Session) -> None:
        """Tell what has been used while the turn goes on; as long as nothing comes of it, nobody is asked."""
        heard, told = session.updates, self.usage.facts()
        while True:
            await asyncio.sleep(COUNT_EVERY)
            if session.updates == heard:
                continue
            heard = session.updates
            await agent.count(session)
            if (used := self.usage.facts()) != told:
                self._desk.journal("usage", **used)
                told = used

    def _was_heard(self) -> None:
        """The agent has taken in what people have said."""
        for message in self._unheard:
            self._desk.journal("told", message=message.message)
        self._unheard = []

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
        told = self._transcript.mask.text(fault.message)
        self._transcript.note(f"{told} Trying again at {until.astimezone():%H:%M:%S}.", level="warn")
        self._desk.journal("waiting", reason=fault.reason, until=until.isoformat(), text=told)

    def _with_mail(self, text: str) -> str:
        """The text with what people have said before it. It counts as heard when the agent has done something."""
        for message in self._mailbox:
            self._transcript.add("message", id=message.message, text=message.text)
        self._mail += self._mailbox
        self._unheard += self._mailbox
        self._mailbox.clear()
        return "\n\n".join(part for part in (*(message.text for message in self._unheard), text) if part)

    async def _wait_out(self, fault: Fault) -> None:
        """Wait before a new try where one can help; raises the fault where none can."""
        waits = WAITS.get(fault.reason, ())
        tries = self._faults.get(fault.reason, 0)
        now = datetime.now(UTC)
        if fault.is_final or tries >= len(waits) or (fault.until and fault.until - now > LONGEST_WAIT):
            raise fault
        self._faults[fault.reason] = tries + 1
        seconds = waits[tries]
        if fault.until is not None:
            seconds = max((fault.until - now).total_seconds(), 0.0) + 1
        self._tell_wait(fault, now + timedelta(seconds=seconds))
        with self._desk.off_the_clock():
            await asyncio.sleep(seconds)
        self._desk.journal("going_on")
