"""What the real opencode says over ACP: the facts that the runner is built on."""

import asyncio
import json
import socket
import threading
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from acp import RequestError

from tests.agents.client import Answer, Client, bounded, speaking
from tests.support.openai_server import (
    Model,
    answer,
    call,
    call_raw,
    drop,
    endless,
    finish,
    hold,
    nonsense,
    refuse,
    say,
    serving,
    think,
    usage,
)
from tests.support.opencode import Opencode

ASK = {"permission": {"edit": "ask", "bash": "ask"}}


@asynccontextmanager
async def session(
    opencode: Opencode, workspace: Path, model: Model, choose: Answer = lambda asked: "", **config: Any
) -> AsyncIterator[tuple[Client, str]]:
    """opencode with an open session."""
    async with speaking(opencode.argv, workspace, opencode.environment(model, **config), choose) as client:
        yield client, await client.begin()


def tool_updates(client: Client, status: str) -> list[dict[str, Any]]:
    return [update for update in client.updates("tool_call_update") if update.get("status") == status]


def output(client: Client) -> str:
    """What tools have given so far."""
    return json.dumps([update.get("content") for update in client.updates("tool_call_update")])


async def test_it_offers_sessions_that_can_be_loaded_and_resumed(opencode: Opencode, workspace: Path) -> None:
    with serving() as model:
        async with speaking(opencode.argv, workspace, opencode.environment(model)) as client:
            offered = await client.initialize()
            opened = await client.new_session()
    capabilities = offered.agent_capabilities
    assert capabilities.load_session
    assert capabilities.session_capabilities.resume is not None
    options = {option.id: option for option in opened.config_options or []}
    assert options["model"].current_value == "scripted/one"
    assert {choice.value for choice in options["model"].options} >= {"scripted/one", "scripted/two"}
    assert {choice.value for choice in options["mode"].options} == {"build", "plan"}


async def test_words_thoughts_and_what_they_took(opencode: Opencode, workspace: Path) -> None:
    turns = [
        answer(think("Hm."), say("Hello "), usage(1000, 50, 400)),
        answer(call("write", filePath=str(workspace / "a.txt"), content="new\n"), usage(2000, 60)),
        answer(say("there."), usage(2100, 10)),
    ]
    with serving(*turns) as model:
        async with session(opencode, workspace, model) as (client, ident):
            first = await client.prompt(ident, "Say hello")
            second = await client.prompt(ident, "Write a file")
    assert client.text() == "Hello there."
    assert client.text("agent_thought_chunk") == "Hm."
    assert first.usage
    assert (first.usage.input_tokens, first.usage.cached_read_tokens, first.usage.output_tokens) == (600, 400, 50)
    assert second.usage
    assert second.usage.input_tokens == 2100, "the figures of the last request alone, not those of the turn"
    costs = [update["cost"]["amount"] for update in client.updates("usage_update")]
    assert costs == pytest.approx([0.00074, 0.00074 + 0.00212 + 0.00212]), "of the session, every request counted"
    assert [request.told for request in model.requests] == ["Say hello", "Write a file", "Write a file"]


async def test_a_tool_call_writes_a_file_and_an_edit_shows_what_it_replaced(
    opencode: Opencode, workspace: Path
) -> None:
    place = workspace / "a.txt"
    turns = [
        answer(call("write", filePath=str(place), content="one\ntwo\n")),
        answer(call("edit", filePath=str(place), oldString="two", newString="TWO")),
        answer(call("bash", command="echo line; exit 3", description="Say")),
        answer(say("Done.")),
    ]
    with serving(*turns) as model:
        async with session(opencode, workspace, model) as (client, ident):
            await client.prompt(ident, "Go")
    assert place.read_text() == "one\nTWO\n"
    assert [call["kind"] for call in client.updates("tool_call")] == ["edit", "edit", "execute"]
    wrote, edited, ran = tool_updates(client, "completed")
    assert [part["type"] for part in wrote["content"]] == ["content"], "a write shows no difference"
    assert edited["content"][1] == {"type": "diff", "path": str(place), "oldText": "two", "newText": "TWO"}
    assert (ran["rawOutput"]["output"], ran["rawOutput"]["metadata"]["exit"]) == ("line\n", 3)


async def test_a_list_of_things_to_do_comes_as_a_tool_call(opencode: Opencode, workspace: Path) -> None:
    todos = [{"content": "Read", "status": "completed", "priority": "high"}]
    with serving(answer(call("todowrite", todos=todos)), answer(say("Done."))) as model:
        async with session(opencode, workspace, model) as (client, ident):
            await client.prompt(ident, "Go")
    assert client.updates("plan") == []
    assert tool_updates(client, "in_progress")[-1]["rawInput"] == {"todos": todos}


async def test_permission_is_asked_when_the_configuration_wants_it(opencode: Opencode, workspace: Path) -> None:
    place = workspace / "a.txt"
    place.write_text("old\n")
    writing = call("write", filePath=str(place), content="new\n")
    choices = ["reject", "", "once"]
    with serving(*(answer(writing) for _ in choices), answer(say("Done."))) as model:
        answers = iter(choices)
        async with session(opencode, workspace, model, lambda asked: next(answers), **ASK) as (client, ident):
            for choice in choices:
                response = await client.prompt(ident, "Go")
                assert response.stop_reason == "end_turn"
                assert place.read_text() == ("new\n" if choice == "once" else "old\n")
                assert client.text() == ("Done." if choice == "once" else ""), "a denial ends the turn without a word"
    asked = client.requests("session/request_permission")
    assert len(asked) == 3
    for one in asked:
        assert {option["optionId"]: option["kind"] for option in one["options"]} == {
            "once": "allow_once",
            "always": "allow_always",
            "reject": "reject_once",
        }
        change = {"type": "diff", "path": str(place), "oldText": "old\n", "newText": "new\n"}
        assert one["toolCall"]["content"] == [change]


async def test_after_a_denial_it_goes_on_when_it_is_told_to(opencode: Opencode, workspace: Path) -> None:
    turns = [answer(call("bash", command="touch a", description="Touch")), answer(say("Then not."))]
    config = {**ASK, "experimental": {"continue_loop_on_deny": True}}
    with serving(*turns) as model:
        async with session(opencode, workspace, model, lambda asked: "reject", **config) as (client, ident):
            await client.prompt(ident, "Go")
    assert client.text() == "Then not."
    assert not (workspace / "a").exists()


async def test_always_is_asked_once(opencode: Opencode, workspace: Path) -> None:
    turns = [answer(call("bash", command=f"echo {n}", description="Say")) for n in (1, 2)]
    with serving(*turns, answer(say("Done."))) as model:
        async with session(opencode, workspace, model, lambda asked: "always", **ASK) as (client, ident):
            await client.prompt(ident, "Go")
    (asked,) = client.requests("session/request_permission")
    assert asked["toolCall"]["rawInput"] == {"command": "echo 1"}
    assert len(tool_updates(client, "completed")) == 2


async def test_a_place_outside_is_asked_for_by_itself(opencode: Opencode, workspace: Path) -> None:
    outside = workspace.parent / "outside.txt"
    turns = [answer(call("write", filePath=str(outside), content="x")), answer(say("Done."))]
    with serving(*turns) as model:
        async with session(opencode, workspace, model, lambda asked: "reject") as (client, ident):
            await client.prompt(ident, "Go")
    assert len(client.requests("session/request_permission")) == 1
    assert not outside.exists()


async def test_cancelling_ends_a_stream_at_once(opencode: Opencode, workspace: Path) -> None:
    gate = threading.Event()
    with serving(answer(say("So "), hold(gate)), answer(say("again."))) as model:
        async with session(opencode, workspace, model) as (client, ident):
            running = asyncio.ensure_future(client.prompt(ident, "Go"))
            await client.until(client.text)
            await client.agent.cancel(session_id=ident)
            async with asyncio.timeout(5):
                assert (await running).stop_reason == "cancelled"
            assert (await client.prompt(ident, "Go on")).stop_reason == "end_turn"
    assert client.text() == "So again."
    assert model.requests[0].outcome == "gone"


async def test_cancelling_ends_a_command_but_not_what_left_its_session(opencode: Opencode, workspace: Path) -> None:
    command = "setsid sleep 300 & echo $! > stray; echo begun; sleep 300"
    with serving(answer(call("bash", command=command, description="Sleep"))) as model:
        async with session(opencode, workspace, model) as (client, ident):
            running = asyncio.ensure_future(client.prompt(ident, "Go"))
            await client.until(lambda: "begun" in output(client))
            process = psutil.Process(client.process.pid)
            while len(children := process.children(recursive=True)) < 2:
                await asyncio.sleep(0.02)
            await client.agent.cancel(session_id=ident)
            assert (await running).stop_reason == "cancelled"
            stray = psutil.Process(int((workspace / "stray").read_text()))
            try:
                ordinary = [child for child in children if child != stray]
                _, alive = await asyncio.to_thread(psutil.wait_procs, ordinary, 5)
                assert alive == []
                assert stray.is_running(), "whoever started opencode has to end this one"
            finally:
                stray.kill()


async def test_another_process_goes_on_with_the_session_after_sigkill(opencode: Opencode, workspace: Path) -> None:
    gate = threading.Event()
    with serving(answer(say("First.")), answer(say("Half"), hold(gate)), answer(say("Whole."), times=2)) as model:
        async with session(opencode, workspace, model) as (client, ident):
            await client.prompt(ident, "One")
            running = asyncio.ensure_future(client.prompt(ident, "Two"))
            await client.until(lambda: "Half" in client.text())
            client.kill()
            with pytest.raises(ConnectionError):
                await running
        environment = opencode.environment(model)
        async with speaking(opencode.argv, workspace, environment) as client:
            await client.initialize()
            await bounded(client.agent.load_session(cwd=str(workspace), session_id=ident))
            assert [client.text("user_message_chunk"), client.text()] == ["OneTwo", "First."], "all is told again"
            await client.prompt(ident, "Go on")
        async with speaking(opencode.argv, workspace, environment) as client:
            await client.initialize()
            await bounded(client.agent.resume_session(cwd=str(workspace), session_id=ident))
            assert client.text() == "", "nothing is told again"
            await client.prompt(ident, "And on")
    said = model.requests[-1].conversation
    assert [said.find(words) >= 0 for words in ("One", "First.", "Two", "Go on", "Whole.", "And on")] == [True] * 6


async def test_a_session_that_is_gone_is_an_error(opencode: Opencode, workspace: Path) -> None:
    with serving() as model:
        async with session(opencode, workspace, model) as (client, ident):
            gone = ident[:-4] + "gone"
            for call_it in (client.agent.load_session, client.agent.resume_session):
                with pytest.raises(RequestError) as refused:
                    await bounded(call_it(cwd=str(workspace), session_id=gone))
                assert refused.value.code == -32603
            with pytest.raises(RequestError) as unknown:
                await client.prompt(gone, "x")
            assert (unknown.value.code, "not found" in str(unknown.value)) == (-32602, True)


async def test_a_model_is_chosen_and_one_that_is_unknown_is_refused(opencode: Opencode, workspace: Path) -> None:
    with serving(answer(say("2"), model="two")) as model:
        async with session(opencode, workspace, model) as (client, ident):
            await bounded(client.agent.set_config_option("model", ident, "scripted/two"))
            with pytest.raises(RequestError) as refused:
                await bounded(client.agent.set_config_option("model", ident, "scripted/three"))
            await client.prompt(ident, "Go")
    assert client.text() == "2"
    assert refused.value.code == -32602


async def test_the_mode_plan_changes_no_file(opencode: Opencode, workspace: Path) -> None:
    place = workspace / "a.txt"
    with serving(answer(call("write", filePath=str(place), content="x")), answer(say("Done."))) as model:
        async with session(opencode, workspace, model) as (client, ident):
            await bounded(client.agent.set_config_option("mode", ident, "plan"))
            await client.prompt(ident, "Go")
    assert len(tool_updates(client, "failed")) == 1
    assert not place.exists()


REFUSALS = {
    "Incorrect API key provided": refuse(401, "Incorrect API key provided", "invalid_api_key"),
    "Insufficient balance": refuse(402, "Insufficient balance"),
    "The model `one` does not exist": refuse(404, "The model `one` does not exist", "model_not_found"),
}


async def test_what_cannot_be_tried_again_fails_in_the_words_of_the_provider(
    opencode: Opencode, workspace: Path
) -> None:
    with serving(*map(answer, REFUSALS.values()), answer(say("Now."))) as model:
        async with session(opencode, workspace, model) as (client, ident):
            for words in REFUSALS:
                with pytest.raises(RequestError) as failed:
                    await client.prompt(ident, "Go")
                assert str(failed.value) == f"Internal error: {words}"
                assert failed.value.code == -32603
                assert failed.value.data == {"service": "session", "errorName": "APIError"}
            await client.prompt(ident, "Go on")
    assert client.text() == "Now."


async def test_nonsense_of_the_provider_is_an_error(opencode: Opencode, workspace: Path) -> None:
    with serving(answer(say("Half"), nonsense())) as model:
        async with session(opencode, workspace, model) as (client, ident):
            with pytest.raises(RequestError) as failed:
                await client.prompt(ident, "Go")
    assert (failed.value.code, failed.value.data["errorName"]) == (-32603, "UnknownError")
    assert "JSON parsing failed" in str(failed.value)


async def test_the_stop_reasons_that_a_model_can_cause(opencode: Opencode, workspace: Path) -> None:
    turns = [answer(say("Long"), finish("length")), answer(say("Bad"), finish("content_filter")), answer()]
    with serving(*turns) as model:
        async with session(opencode, workspace, model) as (client, ident):
            reasons = [(await client.prompt(ident, "Go")).stop_reason for _ in turns]
    assert reasons == ["end_turn", "refusal", "end_turn"]


async def test_calls_of_tools_that_are_wrong_go_back_to_the_model(opencode: Opencode, workspace: Path) -> None:
    turns = [answer(call_raw("write", '{"filePath": ')), answer(call("nothing", x=1)), answer(say("Sorry."))]
    with serving(*turns) as model:
        async with session(opencode, workspace, model) as (client, ident):
            await client.prompt(ident, "Go")
    assert client.text() == "Sorry."
    assert len(model.requests[-1].results) == 2


async def test_what_may_pass_is_tried_again_without_a_word(opencode: Opencode, workspace: Path) -> None:
    faults = (refuse(429, "Slow down", retry_after="1"), refuse(503, "Overloaded"), drop())
    answers = [one for fault in faults for one in (answer(fault), answer(say("Now.")))]
    with serving(*answers) as model:
        async with session(opencode, workspace, model) as (client, ident):
            reasons = [(await client.prompt(ident, "Go")).stop_reason for _ in faults]
    assert (reasons, client.text()) == (["end_turn"] * 3, "Now." * 3)
    assert len(model.requests) == 6
    told = {update["sessionUpdate"] for update in client.updates()}
    assert told <= {"available_commands_update", "agent_message_chunk", "usage_update", "session_info_update"}


async def test_its_own_server_tells_until_when_it_waits_and_what_all_of_it_took(
    opencode: Opencode, workspace: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    slow = refuse(429, "Rate limit reached for one", "rate_limit_exceeded", retry_after="3000")
    turns = [answer(call("bash", command="true", description="x"), usage(10, 1)), answer(say("Hi"), usage(20, 2))]
    with serving(*turns, answer(slow)) as model:
        environment = {**opencode.environment(model), "OPENCODE_SERVER_PASSWORD": "a-password"}
        async with speaking([*opencode.argv, "--port", str(port)], workspace, environment) as client:
            ident = await client.begin()
            await client.prompt(ident, "Go")
            summed = await told(port, f"/session/{ident}", workspace)
            running = asyncio.ensure_future(client.prompt(ident, "Go on"))
            while (await told(port, "/session/status", workspace)).get(ident, {}).get("type") != "retry":
                await asyncio.sleep(0.05)
            waiting = (await told(port, "/session/status", workspace))[ident]
            await client.agent.cancel(session_id=ident)
            cancelled = await running
            with pytest.raises(urllib.error.HTTPError, match="401"):
                await told(port, "/session/status", workspace, password="another")
    assert (summed["tokens"]["input"], summed["tokens"]["output"]) == (30, 3)
    assert waiting["message"] == "Rate limit reached for one"
    assert waiting["next"] / 1000 - model.requests[-1].at == pytest.approx(3000, abs=30)
    assert cancelled.stop_reason in ("end_turn", "cancelled")


async def told(port: int, path: str, workspace: Path, password: str = "a-password") -> Any:
    """What opencode's own server answers."""
    key = b64encode(f"opencode:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {key}", "x-opencode-directory": str(workspace)}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)

    def ask() -> Any:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    return await asyncio.to_thread(ask)


async def test_an_endless_answer_can_be_cancelled(opencode: Opencode, workspace: Path) -> None:
    with serving(answer(endless(every=0.001))) as model:
        async with session(opencode, workspace, model) as (client, ident):
            running = asyncio.ensure_future(client.prompt(ident, "Go"))
            await client.until(lambda: len(client.text()) > 5000)
            await client.agent.cancel(session_id=ident)
            assert (await running).stop_reason == "cancelled"


async def test_it_ends_with_its_stdin_and_takes_its_commands_along(opencode: Opencode, workspace: Path) -> None:
    with serving(answer(call("bash", command="echo begun; sleep 300", description="Sleep"))) as model:
        async with session(opencode, workspace, model) as (client, ident):
            running = asyncio.ensure_future(client.prompt(ident, "Go"))
            await client.until(lambda: "begun" in output(client))
            children = psutil.Process(client.process.pid).children(recursive=True)
            assert client.process.stdin
            client.process.stdin.close()
            assert await asyncio.wait_for(client.process.wait(), 10) == 0
            with pytest.raises(ConnectionError):
                await running
            _, alive = await asyncio.to_thread(psutil.wait_procs, children, 5)
    assert children
    assert alive == []
