"""What is made of what an agent tells of its session: pieces of text, and what it has used."""

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import acp
import pytest
from acp import schema

from workers.runner.agents.costs import Costs
from workers.runner.agents.permission import Policy
from workers.runner.agents.session import Session
from workers.runner.agents.transcript import Transcript
from workers.runner.masking import Mask
from workers.runner.messages import Answer

LOG = "1.log"


class Desk:
    """Whoever is asked permits it."""

    def new_question(self) -> str:
        return "1"

    async def ask(self, key: str, *, on_the_clock: bool = False, **question: Any) -> Answer:
        return Answer(op="answer", worker=1, question=key, option="once")

    def off_the_clock(self) -> AbstractContextManager[None]:
        return nullcontext()


@pytest.fixture
async def transcript(tmp_path: Path) -> Transcript:
    return Transcript(tmp_path / LOG, Mask([]), lambda _: None, lambda _: None)


@pytest.fixture
async def session(transcript: Transcript) -> Session:
    made = Session("s", transcript, Policy("ask"), Desk())
    made.turns = 1
    made.is_in_turn = True
    return made


def says(words: str) -> schema.AgentMessageChunk:
    return schema.AgentMessageChunk(session_update="agent_message_chunk", content=acp.text_block(words))


def texts(transcript: Transcript, directory: Path) -> list[str]:
    """The texts as they are read again: lines with one id are one."""
    transcript.close()
    found: dict[str, str] = {}
    for line in (directory / LOG).with_suffix(".ndjson").read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "text":
            found[entry["id"]] = found.get(entry["id"], "") + entry["text"]
    return list(found.values())


@pytest.mark.parametrize("what", ["plan", "question", "note"])
async def test_what_stands_between_two_texts_keeps_them_apart(
    session: Session, transcript: Transcript, tmp_path: Path, what: str
) -> None:
    session.update(says("Be"))
    session.update(says("fore."))
    if what == "plan":
        entry = schema.PlanEntry(content="Paint", priority="high", status="pending")
        session.update(schema.AgentPlanUpdate(session_update="plan", entries=[entry]))
    elif what == "note":
        transcript.note("The provider is waited for.")
    else:
        once = schema.PermissionOption(option_id="once", name="Once", kind="allow_once")
        await session.permit(schema.ToolCallUpdate(tool_call_id="1", title="Paint"), [once])
    session.update(says("After."))
    assert session.words == "Before.\nAfter."
    assert texts(transcript, tmp_path) == ["Before.", "After."]


# What it has used

TAKEN_UP = {"tokens_in": 500_000, "tokens_out": 9000, "cost": 2.0}


def costs(amount: float) -> schema.UsageUpdate:
    cost = schema.Cost(amount=amount, currency="USD")
    return schema.UsageUpdate(session_update="usage_update", size=1, used=1, cost=cost)


def another(session: Session, kept: Costs | None = None) -> Session:
    """The same session, in another process of the agent."""
    return Session(session.id, session.transcript, Policy("ask"), Desk(), kept)


async def test_what_a_new_session_uses_is_all_charged(session: Session) -> None:
    session.update(costs(0.5))
    session.count_all(TAKEN_UP)
    assert (session.usage.cost, session.usage.tokens_in, session.usage.tokens_out) == (2.0, 500_000, 9000)


async def test_what_the_agent_tells_while_it_takes_a_session_up_was_before(session: Session) -> None:
    session.is_replaying = True
    session.update(costs(1.0))
    session.is_replaying = False
    session.begin_counting(None)
    session.update(costs(1.5))
    assert session.usage.cost == 0.5


async def test_of_what_nobody_knew_when_the_session_was_taken_up_nothing_is_charged(session: Session) -> None:
    """Name by name: that the cost has been told says nothing of the tokens."""
    session.begin_counting(None)
    session.update(costs(1.5))
    session.count_all(TAKEN_UP)
    assert (session.usage.cost, session.usage.tokens_in, session.usage.tokens_out) == (0.5, 0, 0)
    session.attend(session.transcript, session.policy, Desk())
    session.count_all({**TAKEN_UP, "tokens_in": 500_100, "cost": 2.25})
    assert (session.usage.cost, session.usage.tokens_in, session.usage.tokens_out) == (0.25, 100, 0)


@pytest.mark.parametrize(("told", "charged"), [(3.5, 0.5), (0.5, 0.5), (3.0, 0.0)])
async def test_a_session_is_taken_up_at_the_cost_that_it_had(
    session: Session, tmp_path: Path, told: float, charged: float
) -> None:
    """Some agents go on counting, some begin anew with each process."""
    kept = Costs(str(tmp_path / "agents"))
    kept.keep("another", 7.0)
    kept.keep(session.id, 0.0)
    first = another(session, kept)
    first.update(costs(1.0))
    first.update(costs(3.0))
    second = another(session, kept)
    second.begin_counting(None)
    second.update(costs(told))
    assert second.usage.cost == charged
    assert (kept.known(session.id), kept.known("another")) == (3.0 + charged, 7.0)


async def test_what_was_used_before_the_agent_told_it_is_charged_to_who_hears_it(
    session: Session, tmp_path: Path
) -> None:
    kept = Costs(str(tmp_path))
    kept.keep(session.id, 0.0)
    again = another(session, kept)
    again.begin_counting(None)
    again.update(costs(0.5))
    assert again.usage.cost == 0.5


@pytest.mark.parametrize("content", ["", "[]", "null", '{"s": "much"}'])
async def test_costs_that_cannot_be_read_are_not_known(session: Session, tmp_path: Path, content: str) -> None:
    (tmp_path / "costs.json").write_text(content)
    kept = Costs(str(tmp_path))
    assert kept.known(session.id) is None
    kept.keep(session.id, 0.5)
    assert kept.known(session.id) == 0.5


async def test_costs_that_cannot_be_kept_stop_nobody(session: Session, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for kept in (Costs(""), Costs(str(tmp_path / "file"))):
        kept.keep(session.id, 0.5)
        assert kept.known(session.id) is None
