"""The scripted agent does what its scripts say, as a client of the protocol sees it."""

import asyncio
from pathlib import Path

import pytest
from acp import RequestError

from tests.agents.client import speaking
from tests.support.scripts import (
    always,
    ask,
    await_file,
    die,
    edit,
    end,
    fail,
    hang,
    huge,
    plan,
    raw,
    run,
    scripted,
    text,
    thought,
    tool,
    turn,
    update,
    usage,
)


async def test_a_turn_is_told_piece_by_piece(tmp_path: Path) -> None:
    steps = [thought("hm"), plan(Read="completed", Write="pending"), tool("Look"), text("A longer text. " * 4)]
    agent = scripted(tmp_path, turn(*steps, usage(cost=0.25), usage=(7, 3)))
    async with speaking(agent.argv, tmp_path) as client:
        response = await client.prompt(await client.begin(), "Do it")
    assert response.stop_reason == "end_turn"
    assert response.usage
    assert (response.usage.input_tokens, response.usage.output_tokens) == (7, 3)
    assert client.text() == "A longer text. " * 4
    assert len(client.updates("agent_message_chunk")) > 2
    assert [call["title"] for call in client.updates("tool_call")] == ["Look"]
    assert client.updates("usage_update")[0]["cost"] == {"amount": 0.25, "currency": "USD"}
    assert [entry["status"] for entry in client.updates("plan")[0]["entries"]] == ["completed", "pending"]
    assert agent.prompts() == ["Do it"]


async def test_an_edit_is_written_and_shown_with_its_difference(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    agent = scripted(tmp_path, turn(edit("a.txt", "new"), run("echo one; echo two")))
    async with speaking(agent.argv, tmp_path) as client:
        await client.prompt(await client.begin(), "Edit")
    assert (tmp_path / "a.txt").read_text() == "new"
    change = client.updates("tool_call_update")[0]["content"][0]
    assert (change["type"], change["oldText"], change["newText"]) == ("diff", "old", "new")
    assert client.updates("tool_call_update")[-1]["rawOutput"] == {"output": "one\ntwo\n"}


@pytest.mark.parametrize(("choice", "written"), [("once", True), ("reject", False)])
async def test_an_answer_decides_what_follows(tmp_path: Path, choice: str, written: bool) -> None:
    step = ask("Write", path="a.txt", text="x", once=[edit("a.txt", "x")], otherwise=[end("refusal")])
    agent = scripted(tmp_path, turn(step))
    async with speaking(agent.argv, tmp_path, answer=lambda asked: choice) as client:
        response = await client.prompt(await client.begin(), "Write")
    assert (tmp_path / "a.txt").exists() == written
    assert response.stop_reason == ("end_turn" if written else "refusal")
    asked = client.requests("session/request_permission")[0]
    assert [option["kind"] for option in asked["options"]] == ["allow_once", "allow_always", "reject_once"]
    assert asked["toolCall"]["content"][0]["newText"] == "x"


async def test_a_cancelled_turn_ends_as_cancelled_and_the_session_goes_on(tmp_path: Path) -> None:
    agent = scripted(tmp_path, turn(text("So"), hang()), turn(text("Again"), to="Go on"))
    async with speaking(agent.argv, tmp_path) as client:
        session = await client.begin()
        running = asyncio.ensure_future(client.prompt(session, "First"))
        await client.until(lambda: client.text() == "So")
        await client.agent.cancel(session_id=session)
        assert (await running).stop_reason == "cancelled"
        assert (await client.prompt(session, "Go on")).stop_reason == "end_turn"
    assert len(agent.calls("session/cancel")) == 1


async def test_a_deaf_turn_goes_on_when_it_is_cancelled(tmp_path: Path) -> None:
    agent = scripted(tmp_path, turn(text("So"), await_file("go"), text(" there"), deaf=True))
    async with speaking(agent.argv, tmp_path) as client:
        session = await client.begin()
        running = asyncio.ensure_future(client.prompt(session, "First"))
        await client.until(lambda: client.text() == "So")
        await client.agent.cancel(session_id=session)
        (tmp_path / "go").touch()
        assert (await running).stop_reason == "end_turn"
    assert client.text() == "So there"


async def test_another_process_loads_the_session_and_uses_the_turns_that_are_left(tmp_path: Path) -> None:
    agent = scripted(tmp_path, turn(text("Half"), die()), turn(text("Whole")))
    environment = {"XDG_DATA_HOME": str(tmp_path / "data")}
    async with speaking(agent.argv, tmp_path, environment) as client:
        session = await client.begin()
        with pytest.raises(ConnectionError):
            await client.prompt(session, "Do it")
    async with speaking(agent.argv, tmp_path, environment) as client:
        assert (await client.initialize()).agent_capabilities.load_session
        await client.agent.load_session(cwd=str(tmp_path), session_id=session)
        assert [client.text("user_message_chunk"), client.text()] == ["Do it", "Half"]
        await client.prompt(session, "Go on")
        with pytest.raises(RequestError) as nothing_left:
            await client.prompt(session, "More")
        with pytest.raises(RequestError) as unknown:
            await client.agent.load_session(cwd=str(tmp_path), session_id="ses_gone")
    assert client.text() == "HalfWhole"
    assert "nothing left" in str(nothing_left.value)
    assert unknown.value.code == -32002
    assert len({start["pid"] for start in agent.starts()}) == 2


async def test_turns_are_chosen_by_what_the_prompt_says(tmp_path: Path) -> None:
    agent = scripted(tmp_path, always(text("R"), to="^Review"), turn(text("1")), turn(text("2")))
    async with speaking(agent.argv, tmp_path) as client:
        session = await client.begin()
        for words in ("Review it", "Do it", "Review that", "Do that"):
            await client.prompt(session, words)
    assert client.text() == "R1R2"


async def test_errors_lines_of_nonsense_and_unknown_updates(tmp_path: Path) -> None:
    steps = [raw("{nonsense"), update(sessionUpdate="brand_new", x=1), fail(-32603, "No quota", {"status": 429})]
    agent = scripted(tmp_path, turn(*steps), choices={"model": ["a", "b"]})
    async with speaking(agent.argv, tmp_path) as client:
        await client.initialize()
        opened = await client.new_session()
        chosen = await client.agent.set_config_option("model", opened.session_id, "b")
        with pytest.raises(RequestError) as refused:
            await client.agent.set_config_option("model", opened.session_id, "c")
        with pytest.raises(RequestError) as failed:
            await client.prompt(opened.session_id, "x")
    assert chosen.config_options[0].current_value == "b"
    assert refused.value.code == -32602
    assert (str(failed.value), failed.value.data) == ("No quota", {"status": 429})
    assert client.updates("brand_new") == [{"sessionUpdate": "brand_new", "x": 1}]


async def test_a_huge_update_arrives_whole(tmp_path: Path) -> None:
    agent = scripted(tmp_path, turn(huge(1_000_000)))
    async with speaking(agent.argv, tmp_path) as client:
        await client.prompt(await client.begin(), "x")
    assert len(client.text()) == 1_000_000


async def test_a_handshake_may_never_come(tmp_path: Path) -> None:
    agent = scripted(tmp_path, handshake="never")
    async with speaking(agent.argv, tmp_path) as client:
        waiting = asyncio.ensure_future(client.initialize())
        while not agent.calls("initialize"):
            await asyncio.sleep(0.01)
        assert not waiting.done()
        client.kill()
        with pytest.raises(ConnectionError):
            await waiting


@pytest.mark.parametrize("ignores", [(), ("end of stdin",)])
async def test_the_end_of_stdin_ends_it_unless_it_ignores_that(tmp_path: Path, ignores: tuple[str, ...]) -> None:
    agent = scripted(tmp_path, ignores=ignores)
    async with speaking(agent.argv, tmp_path) as client:
        await client.initialize()
        assert client.process.stdin
        client.process.stdin.close()
        while not any(entry.get("call") == "stdin ended" for entry in agent.entries()):
            await asyncio.sleep(0.01)
        if ignores:
            assert client.process.returncode is None
        else:
            assert await asyncio.wait_for(client.process.wait(), 10) == 0
