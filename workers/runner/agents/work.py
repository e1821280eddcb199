"""A request carried out by an agent: a chunk worked on, or its result reviewed."""

import dataclasses
import signal
from abc import ABC, abstractmethod
from typing import Any

from workers.runner.agents import prompts, verdict
from workers.runner.agents.agent import Agent
from workers.runner.agents.conversation import Conversation, Talk
from workers.runner.agents.costs import Costs
from workers.runner.agents.faults import Fault
from workers.runner.agents.permission import Policy
from workers.runner.agents.session import Session
from workers.runner.agents.snapshot import Snapshot, Snapshots, Unknown
from workers.runner.agents.transcript import Transcript
from workers.runner.executors.base import Context, Desk, Outcome, Reason, Result
from workers.runner.messages import AgentReview, Execute, Profile, Task
from workers.runner.process import send

AGENTS = "agents"  # what `kept` holds: a living agent by the name of its profile
SESSIONS = "sessions"  # the id of the last session of work, by the same
# An agent with such a fault is not spoken to again; a new process takes up its session.
HOPELESS = (
    Reason.AGENT_HANDSHAKE,
    Reason.AGENT_EXITED,
    Reason.AGENT_PROTOCOL,
    Reason.AGENT_SILENT,
    Reason.AGENT_MISSING,
)


class AgentWork(ABC):
    """What working on a chunk and reviewing have in common."""

    def __init__(self, context: Context, profile: Profile, policy: Policy, data: str) -> None:
        """`data`: a directory for what agents of this worker store."""
        self.context = context
        self.data = data
        self.profile = profile
        self.policy = policy
        self.desk: Desk = context.desk
        self.key = Agent.key(profile)
        self.agents: dict[str, Agent] = self.desk.kept.setdefault(AGENTS, {})
        self.sessions: dict[str, str] = self.desk.kept.setdefault(SESSIONS, {})
        self.transcript = Transcript(self.desk.log, self.desk.mask, self.desk.write, self._told)
        self.conversation = self.new_conversation()
        self.snapshots = Snapshots(self.desk.capture, context.cwd, self.desk.directory)
        self._last_told = -1

    def _told(self, size: int) -> None:
        if size != self._last_told:
            self._last_told = size
            self.desk.journal("transcript", bytes=size)

    async def run(self) -> Result:
        """Carry it out. Faults become results."""
        try:
            result = await self.carry_out()
        except Fault as fault:
            self.transcript.note(fault.message, level="bad")
            if fault.reason in HOPELESS:
                self.dismiss()
            result = Result(Outcome.FAILED, fault.reason, fault.message, findings=self._last_words(fault))
        finally:
            self.leave()
            self.transcript.close()
        facts = {**result.facts, **self._facts()}
        return dataclasses.replace(result, facts=facts)

    def new_conversation(self) -> Conversation:
        """What is said for this request: people are asked, and heard."""
        return Conversation(self.desk, self.transcript, self.talk, self.desk.mailbox)

    @abstractmethod
    async def carry_out(self) -> Result:
        """What this kind of work is. Raises Fault."""

    @abstractmethod
    async def talk(self) -> Talk:
        """A living agent and its session. Raises Fault."""

    async def agent(self) -> Agent:
        """The agent that is kept, or a new one. Raises Fault."""
        agent = self.agents.get(self.profile.name)
        if agent is None or not agent.is_alive or Agent.key(agent.profile) != self.key:
            self.dismiss()  # never two processes on the same data
            agent = self.agents[self.profile.name] = Agent(self.desk, self.profile)
            try:
                await agent.start(self.data, self.context.cwd)
            except BaseException:
                self.dismiss()
                raise
        agent.serve(self.desk, self.profile)
        return agent

    def dismiss(self) -> None:
        """End the agent's process, whatever it does."""
        agent = self.agents.pop(self.profile.name, None)
        if agent is not None and agent.process is not None and not agent.process.exited.done():
            send(agent.process.pid, signal.SIGKILL)

    def leave(self) -> None:
        """The request is over, perhaps in the middle of a turn."""
        if self.conversation.session is not None:
            self.conversation.session.leave_questions()

    def new_session(self, identity: str) -> Session:
        return Session(identity, self.transcript, self.policy, self.desk)

    def _facts(self) -> dict[str, Any]:
        session = self.conversation.session
        return {"session": session.id, "usage": self.conversation.usage.facts()} if session else {}

    def _last_words(self, fault: Fault) -> str:
        session = self.conversation.session
        words = self.desk.mask.text(session.words).strip()[-4000:] if session else ""
        return f"{fault.message}\n\n{words}".strip()


class ChunkWork(AgentWork):
    """An attempt at a chunk, in the session that the worker's agent keeps from chunk to chunk."""

    def __init__(self, context: Context, request: Execute, profile: Profile, task: Task, prompt: str) -> None:
        super().__init__(context, profile, Policy(profile.permission, profile.allowed), request.agent_data)
        self.task = task
        self.prompt = prompt
        self.base = request.base
        self.costs = Costs(request.agent_data)
        if request.session:
            self.sessions.setdefault(self.profile.name, request.session)

    def new_session(self, identity: str) -> Session:
        """One that may be taken up again."""
        return Session(identity, self.transcript, self.policy, self.desk, self.costs)

    async def carry_out(self) -> Result:
        before = await self.snapshots.take()
        await self.conversation.say(self._whole)
        return Result(Outcome.PASSED, facts={"changed": await self._has_changed(before)})

    async def _has_changed(self, before: Snapshot | None) -> bool | None:
        """Whether this attempt, or the one that it goes on with, has changed the files; None when nobody knows."""
        after = await self.snapshots.take()
        if before is None or after is None:
            return None
        return not before.is_like(after) or (bool(self.base) and await self.snapshots.differs(self.base, after))

    async def _open(self, agent: Agent, earlier: str) -> tuple[Agent, Session, bool]:
        """The earlier session, or a new one. One that the agent cannot even take up is given up. Raises Fault."""
        try:
            return agent, *await agent.open(self.context.cwd, earlier, self.new_session)
        except Fault as fault:
            if not earlier or fault.reason not in HOPELESS:
                raise
            self.transcript.note(f"The session could not be taken up again: {fault.message}", level="warn")
        self.dismiss()
        agent = await self.agent()
        return agent, *await agent.open(self.context.cwd, "", self.new_session)

    def _whole(self, is_new: bool) -> str:
        return prompts.for_chunk(self.task, self.prompt, self.context.findings, is_new=is_new)

    async def talk(self) -> Talk:
        agent = await self.agent()
        session, is_new = agent.work, False
        if session is None:
            earlier = self.sessions.get(self.profile.name, "")
            agent, session, resumed = await self._open(agent, earlier)
            agent.work, is_new = session, not resumed
            self.sessions[self.profile.name] = session.id
            self.desk.journal("session", id=session.id, profile=self.profile.name, resumed=resumed)
            if not resumed:
                self.costs.keep(session.id, 0)
            if earlier:
                how = "was taken up again" if resumed else "is not known to the agent any more; a new one was begun"
                self.transcript.note(f"The session {how}.")
        elif session.transcript is not self.transcript:
            session.attend(self.transcript, self.policy, self.desk)
            self.desk.journal("session", id=session.id, profile=self.profile.name, resumed=True)
        await agent.configure(session, self.profile.model, self.profile.mode)
        return agent, session, is_new


class ReviewWork(AgentWork):
    """A review: a session of its own, which may only read, and an answer that has to be a verdict."""

    def __init__(self, context: Context, review: AgentReview, data: str) -> None:
        super().__init__(context, review.profile, Policy("read"), data)
        self.review = review
        self._session: Session | None = None
        self._agent: Agent | None = None
        self._diff = ""

    async def carry_out(self) -> Result:
        self.transcript.log(f"── review by {self.profile.name} ──\n")
        self.transcript.add("review", begins=True, profile=self.profile.name)
        before = await self.snapshots.take()
        if before:
            self._diff = await self.snapshots.difference(self.review.base or "HEAD", before.tree)
        try:
            found = await self._verdict()
        except Fault:
            await self._undo(before)
            raise
        await self._undo(before)
        told = found.told()
        self.transcript.add("review", verdict=found.verdict, findings=[one.model_dump() for one in found.findings])
        if found.verdict == "pass":
            return Result(Outcome.PASSED)
        count = len(found.findings)
        self.transcript.log(f"\n{told}\n")
        message = f"The review by {self.profile.name} found {count} thing{'s' if count > 1 else ''} to mend."
        return Result(Outcome.FAILED, Reason.REVIEW_FAILED, message, findings=f"{message}\n\n{told}")

    def new_conversation(self) -> Conversation:
        """Nobody speaks to a reviewer, and it asks nobody."""
        return Conversation(self.desk, self.transcript, self.talk, None)

    async def _verdict(self) -> verdict.Verdict:
        """The verdict; asked for once more when the answer is none. Raises Fault."""
        session = await self.conversation.say(lambda _: prompts.for_review(self.review, self._diff))
        try:
            return verdict.read(session.words)
        except verdict.NoVerdict as problem:
            again = prompts.ask_again(str(problem))
        session = await self.conversation.say(lambda _: again)
        try:
            return verdict.read(session.words)
        except verdict.NoVerdict as problem:
            raise Fault(
                Reason.REVIEW_NO_VERDICT, f"The review by {self.profile.name} has no verdict: {problem}"
            ) from None

    async def _undo(self, before: Snapshot | None) -> None:
        """A reviewer changes nothing: what it did all the same is undone, where nobody else can have done it."""
        if before is None or (after := await self.snapshots.take()) == before:
            return
        try:
            if after is None:
                raise Unknown
            paths = await self.snapshots.changed(before, after)
            what = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
            if self.review.own:
                await self.snapshots.undo(before, after)
                self.transcript.note(f"The reviewer has changed {what}; that is undone.", level="warn")
            else:
                told = f"During the review, {what} changed. That is left: others may work in this directory."
                self.transcript.note(told, level="warn")
        except Unknown:
            self.transcript.note("What the reviewer may have changed could not be found out, or undone.", level="warn")

    async def talk(self) -> Talk:
        agent = await self.agent()
        is_new = agent is not self._agent or self._session is None
        if is_new:
            self._session, _ = await agent.open(self.context.cwd, "", self.new_session)
            self._agent = agent
        assert self._session is not None
        mode = agent.read_only_mode(self._session)
        await agent.configure(self._session, self.profile.model, mode)
        return agent, self._session, is_new
