"""What is made of what an agent tells of its session: pieces of text, and what it has used."""

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import acp
import pytest
from acp import schema

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
