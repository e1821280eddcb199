"""One session with an agent: what it says is written down, what it asks is answered, its turns are counted."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from acp import schema
from acp.exceptions import RequestError

from workers.runner.agents.calls import described, text_of, title_of
from workers.runner.agents.costs import Costs
from workers.runner.agents.permission import Policy, choose, command_of, outcome
from workers.runner.agents.standstill import Standstill
from workers.runner.agents.transcript import LOG_CHARS, Transcript, changed_lines, cut
from workers.runner.messages import Answer

QUESTION_CHARS = 20_000
QUESTION_DIFFS = 20
PLAN_TOOL = "todowrite"  # how opencode calls the tool by which it keeps its plan
MOST_PLAUSIBLE = 1e11  # tokens or dollars of one session
TEXT_KEPT = 1_000_000  # characters of a turn's words, for what is read from them


class People(Protocol):
    """Those who are asked: see `executors.base.Desk`."""

    def new_question(self) -> str: ...

    async def ask(self, key: str, *, on_the_clock: bool = False, **question: Any) -> Answer: ...

    def off_the_clock(self) -> AbstractContextManager[None]: ...


@dataclass
class Usage:
    """What the requests to the model have cost. Tokens; `cost` in `currency`, None when nobody says."""

    tokens_in: int = 0  # those of the cache included
    tokens_out: int = 0
    cached_read: int = 0
    cached_written: int = 0
    cost: float | None = None
    currency: str = ""

    def facts(self) -> dict[str, Any]:
        """As they stand in journals and results."""
        return dict(vars(self))

    def with_(self, other: "Usage") -> "Usage":
        """The sum."""
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cached_read + other.cached_read,
            self.cached_written + other.cached_written,
            sum(costs) if costs else None,
            other.currency or self.currency,
        )


class Session:
    """One conversation. `heard` is called at every sign of life."""

    def __init__(
        self, identity: str, transcript: Transcript, policy: Policy, people: People, costs: Costs | None = None
    ) -> None:
        """`costs`: where it is kept what the session costs, if it may be taken up again."""
        self.id = identity
        self.turns = 0
        self.options: list[Any] = []  # what can be chosen for it, as the agent says
        self.modes: list[str] = []
        self.mode = ""
        self.model = ""
        self._used: dict[str, float] = {}  # what the whole session has used so far, where the agent tells it
        self._is_taken_up = False
        self._costs = costs
        self._known_cost = costs.known(identity) if costs else None
        self._cost_of_others = 0.0  # of processes before, where the agent's counts but its own
        self._calls: dict[str, dict[str, Any]] = {}
        self._plan: list[dict[str, str]] = []
        self._pieces = 0
        self._last_piece = ""
        self.attend(transcript, policy, people)

    def attend(self, transcript: Transcript, policy: Policy, people: People) -> None:
        """Begin to work for a request: its transcript, policy and people."""
        self.transcript = transcript
        self.policy = policy
        self._people = people
        self.usage = Usage()
        self.updates = 0  # how often something has come
        self._used_before = dict(self._used)
        self.is_replaying = False
        self.is_in_turn = False
        self.heard: Callable[[], None] = lambda: None
        self.waiting: set[asyncio.Task[Answer]] = set()
        self.new_turn()

    def new_turn(self) -> None:
        """Begin to listen for what one turn brings."""
        self._standstill = Standstill(self._people.off_the_clock)
        self.words = ""
        self.used_tools = False
        self.denied: list[str] = []  # what people said when they did not permit something
        self.went_on = True  # after it was denied something
        self._last_piece = ""

    @property
    def has_done_something(self) -> bool:
        return bool(self.words.strip()) or self.used_tools

    # What the agent tells

    def update(self, update: Any) -> None:
        """Take one update in."""
        self.heard()
        self.updates += 1
        if self.is_replaying:
            if isinstance(update, schema.UsageUpdate) and update.cost is not None:
                self._used |= plausible({"cost": update.cost.amount})
            return
        match update:
            case schema.AgentMessageChunk():
                self._hear_text("text", update)
            case schema.AgentThoughtChunk():
                self._hear_text("thought", update)
            case schema.ToolCallStart() | schema.ToolCallProgress():
                self._hear_tool(update)
            case schema.AgentPlanUpdate():
                self._standstill.hear()
                entries = [entry.model_dump(include={"content", "status", "priority"}) for entry in update.entries]
                self.transcript.add("plan", entries=entries)
            case schema.UsageUpdate():
                if update.cost is not None:
                    self.usage.currency = update.cost.currency
                    self.count_all({"cost": update.cost.amount})

    def _hear_text(self, kind: str, update: schema.AgentMessageChunk | schema.AgentThoughtChunk) -> None:
        text = text_of(update.content)
        if not text:
            return
        self._standstill.hear()
        self.went_on = True
        # What stands between two texts in the transcript keeps them apart.
        piece = f"{kind}:{update.message_id or ''}:{self.transcript.entries}"
        if piece != self._last_piece:
            self._pieces += 1
            if kind == "text" and self.words:
                self.words += "\n"
                self.transcript.log("\n")
        if kind == "text" and len(self.words) < TEXT_KEPT:
            self.words += text
        self._last_piece = piece
        self.transcript.say(kind, f"{self.turns}.{self._pieces}", text)

    def _hear_tool(self, update: schema.ToolCallStart | schema.ToolCallProgress) -> None:
        self._standstill.hear_of(update.tool_call_id, update.kind, update.status)
        self.used_tools = True
        self._last_piece = ""
        self.went_on |= update.tool_call_id not in self._calls
        known = self._calls.setdefault(update.tool_call_id, {})
        if known.get("is_plan") or (update.title or "").lower() == PLAN_TOOL:
            known["is_plan"] = True
            self._hear_plan(update.raw_input)
            return
        fields = {name: value for name, value in described(update).items() if known.get(name) != value}
        if not fields:
            return
        known.update(fields)
        self.transcript.add("tool", id=update.tool_call_id, **fields)
        if (status := fields.get("status")) in ("completed", "failed"):
            self._log_tool(known)
            self._calls[update.tool_call_id] = {"status": status}

    def _hear_plan(self, raw: Any) -> None:
        """Some agents keep their plan by a tool instead of telling it."""
        todos = raw.get("todos") if isinstance(raw, dict) else None
        if isinstance(todos, list) and all(isinstance(todo, dict) and todo.get("content") for todo in todos):
            entries = [{name: str(todo.get(name, "")) for name in ("content", "status", "priority")} for todo in todos]
            if entries != self._plan:
                self._plan = entries
                self.transcript.add("plan", entries=entries)

    def _log_tool(self, call: dict[str, Any]) -> None:
        mark = "✗" if call["status"] == "failed" else "▸"
        lines = [f"\n{mark} {call.get('title') or call.get('tool') or 'tool'}"]
        for diff in call.get("diffs", ()):
            added, removed = changed_lines(diff["old"], diff["new"])
            lines.append(f"  {diff['path']} +{added} -{removed}")
        if output := call.get("output"):
            lines.append(str(cut(self.transcript.mask.text(output), LOG_CHARS)).rstrip("\n"))
        self.transcript.log("\n".join(lines) + "\n")

    # What the agent asks

    async def permit(
        self, call: schema.ToolCallUpdate, options: list[schema.PermissionOption]
    ) -> schema.RequestPermissionResponse:
        """Answer a permission request by the policy, or by a person. Between turns nothing is permitted."""
        if not self.is_in_turn:
            return outcome("")
        self.heard()
        key, asked = self._people.new_question(), self._question(call, options)
        allowed = self.policy.decide(call)
        if allowed is not None:
            chosen = choose(options, allow=allowed)
            if not allowed:
                self._was_denied("")
            self.transcript.add("asked", question=key, what="permission", **asked)
            self.transcript.add("answered", question=key, option=chosen, by="policy")
            return outcome(chosen)
        self.transcript.add("asked", question=key, what="permission", **asked)
        asking = asyncio.ensure_future(self._people.ask(key, on_the_clock=True, what="permission", **asked))
        self.waiting.add(asking)
        try:
            with self._standstill.asking(call.tool_call_id):
                answer = await asyncio.shield(asking)
        except asyncio.CancelledError:
            self.transcript.add("answered", question=key, option="", by="gone")
            if asking.cancelled():  # the turn was cancelled; not this task
                return outcome("")
            asking.cancel()
            raise
        finally:
            self.waiting.discard(asking)
            self.heard()
        known = {option.option_id for option in options}
        chosen = answer.option if answer.option in known else choose(options, allow=False)
        if not any(option.option_id == chosen and option.kind.startswith("allow") for option in options):
            self._was_denied(answer.text)
        self.transcript.add("answered", question=key, option=chosen, text=answer.text, by="person")
        return outcome(chosen)

    def _was_denied(self, text: str) -> None:
        self.denied.append(text)
        self.went_on = False

    def _question(self, call: schema.ToolCallUpdate, options: list[schema.PermissionOption]) -> dict[str, Any]:
        told = self.transcript.mask.value({**self._calls.get(call.tool_call_id, {}), **described(call)})
        offered = [{"id": option.option_id, "name": option.name, "kind": option.kind} for option in options]
        diffs = [
            {name: cut(text or "", QUESTION_CHARS) for name, text in diff.items()} for diff in told.get("diffs", [])
        ]
        command = cut(self.transcript.mask.text(command_of(call.raw_input)), QUESTION_CHARS)
        asked: dict[str, Any] = {"title": title_of(told), "text": told.get("tool") or "", "options": offered}
        asked |= {"command": command, "diffs": diffs[:QUESTION_DIFFS], "more": len(diffs[QUESTION_DIFFS:])}
        if not command and not diffs:  # then this is all that tells what it would do
            known = {"input": told.get("input"), "files": told.get("locations")}
            said = {name: value for name, value in known.items() if value}
            asked["input"] = cut(json.dumps(said, indent=2, ensure_ascii=False, default=str), QUESTION_CHARS)
        return asked

    def leave_questions(self) -> None:
        """Nobody can be answered any more: the turn is over, or is being cancelled."""
        for asking in self.waiting:
            asking.cancel()

    def begin_counting(self, used: dict[str, float] | None) -> None:
        """The session was taken up again: what it had used before, if that is known, is not used now."""
        self._is_taken_up = True
        self._used |= plausible(used or {})
        self._used_before = dict(self._used)

    def count_all(self, used: dict[str, float] | None) -> None:
        """Take in what the whole session has used, where the agent tells that, instead of what its turns say."""
        if used is None:
            return
        used = plausible(used)
        for name, total in used.items():
            if name not in self._used_before:
                self._used_before[name] = self._began_at(name, total)
            setattr(self.usage, name, max(0, total - self._used_before[name]))
        if self._costs and "cost" in used and used["cost"] != self._used.get("cost"):
            self._costs.keep(self.id, self._cost_of_others + used["cost"])
        self._used |= used

    def _began_at(self, name: str, total: float) -> float:
        """How much of a total that is told for the first time had been used before."""
        if not self._is_taken_up:
            return 0
        if name != "cost" or self._known_cost is None:
            return total  # nobody knows; what others have been charged for must not be charged again
        if total >= self._known_cost:
            return self._known_cost
        # Of a session, Claude Code counted what the process has cost, before its version 2.1.277.
        self._cost_of_others = self._known_cost
        return 0

    def count(self, response: schema.PromptResponse) -> None:
        """Add what a turn says that it has used."""
        if (used := response.usage) is not None:
            read, written = used.cached_read_tokens or 0, used.cached_write_tokens or 0
            came, went = used.input_tokens + read + written, used.output_tokens + (used.thought_tokens or 0)
            if all(map(is_plausible, (came, went, read, written))):
                self.usage.tokens_in += came
                self.usage.tokens_out += went
                self.usage.cached_read += read
                self.usage.cached_written += written


def plausible(used: dict[str, float]) -> dict[str, float]:
    """Those amounts that can be true."""
    return {name: amount for name, amount in used.items() if is_plausible(amount)}


def is_plausible(amount: float) -> bool:
    """Whether it can be a number of tokens, or of dollars, and not nonsense."""
    return 0 <= amount < MOST_PLAUSIBLE


class Listener:
    """The client's side of the protocol: gives everything to the session that it is for."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        """Called by the package for every update."""
        if session := self.sessions.get(session_id):
            session.update(update)

    async def request_permission(
        self, session_id: str, tool_call: schema.ToolCallUpdate, options: list[schema.PermissionOption], **_: Any
    ) -> schema.RequestPermissionResponse:
        """Called by the package when the agent asks."""
        session = self.sessions.get(session_id)
        if session is None:
            raise RequestError.invalid_params({"sessionId": f"there is no session {session_id}"})
        return await session.permit(tool_call, options)
