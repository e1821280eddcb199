"""The `agent` executor with a scripted agent: what it is told, what is made of what it says, and every way to fail."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.runner.support import Message, Owner, Run, kill, wait_until
from tests.support import scripts
from tests.support.scripts import Scripted, scripted, text, turn
from workers.runner.journal import read

TASK = {
    "spec": "Rate limits",
    "title": "Token bucket",
    "key": "bucket",
    "ordinal": 2,
    "total": 3,
    "instructions": "Write a token bucket.",
    "acceptance": ["two processes share one budget"],
    "files": ["a.txt"],
    "passed": [{"title": "Store", "commit": "0123456789abcdef"}],
}


@pytest.fixture
def place(directory: Path) -> Path:
    """Where scripts and their logs lie: not in the workspace."""
    made = directory / "scripts"
    made.mkdir()
    return made


class Talk:
    """An owner that has an agent work."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.run = owner.run

    def begin(self, agent: Scripted, attempt: int = 1, **more: Any) -> str:
        profile = {**agent.profile, **more.pop("profile", {})}
        fields = {"executor": "agent", "params": {}, "task": TASK, "profile": profile, **more}
        fields["agent_data"] = str(self.run.launcher.directory / "agents" / "12")
        return self.owner.work("execute", attempt, **fields)

    def works(self, agent: Scripted, attempt: int = 1, **more: Any) -> Message:
        return self.owner.result(self.begin(agent, attempt, **more))

    def transcript(self, attempt: int = 1) -> list[dict[str, Any]]:
        lines = self.run.log(attempt).with_suffix(".ndjson").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def kinds(self, attempt: int = 1) -> list[str]:
        return [entry["kind"] for entry in self.transcript(attempt)]

    def said(self, kind: str = "text", attempt: int = 1) -> str:
        return "".join(entry["text"] for entry in self.transcript(attempt) if entry["kind"] == kind)

    def answer(self, asked: Message, **answer: str) -> None:
        self.owner.say("answer", question=asked["question"], **answer)


@pytest.fixture
def talk(owner: Owner) -> Talk:
    return Talk(owner)


def test_the_agent_is_told_what_the_chunk_says_and_its_words_are_kept(talk: Talk, place: Path) -> None:
    steps = (
        scripts.thought("Hm."),
        scripts.plan(Write="in_progress"),
        text("On **it**."),
        scripts.edit("a.txt", "new\n"),
    )
    agent = scripted(place, turn(*steps, usage=(100, 20)))
    result = talk.works(agent)
    assert result["outcome"] == "passed", result
    (prompt,) = agent.prompts()
    for part in (
        "chunk 2 of 3",
        "Rate limits",
        "Token bucket",
        "two processes share one budget",
        "Store (commit 0123456789)",
    ):
        assert part in prompt
    kinds = list(dict.fromkeys(talk.kinds()))
    assert kinds == ["prompt", "thought", "plan", "text", "tool", "usage"]
    assert talk.said() == "On **it**."
    assert talk.said("thought") == "Hm."
    assert (talk.run.workspace / "a.txt").read_text() == "new\n"
    log = talk.run.log(1).read_text()
    assert "On **it**." in log
    assert "a.txt +1 -0" in log
    assert result["facts"]["usage"]["tokens_in"] == 100
    assert result["facts"]["usage"]["tokens_out"] == 20
    diffs = [entry["diffs"] for entry in talk.transcript() if entry.get("diffs")]
    assert diffs[0][0]["new"] == "new\n"


def test_what_a_turn_uses_is_told_while_it_goes_on(talk: Talk, place: Path) -> None:
    go_on = place / "go on"
    agent = scripted(
        place, turn(text("I begin."), scripts.usage(cost=0.25), scripts.await_file(str(go_on)), text("Done."))
    )
    request = talk.begin(agent)
    told = talk.owner.until("usage")
    assert (told["cost"], told["currency"]) == (0.25, "USD")
    assert "Done." not in talk.said()
    go_on.touch()
    assert talk.owner.result(request)["facts"]["usage"]["cost"] == 0.25


def test_one_process_and_one_session_serve_chunk_after_chunk(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one")), turn(text("two")))
    sessions = [talk.works(agent, attempt)["facts"]["session"] for attempt in (1, 2)]
    assert sessions[0] == sessions[1]
    assert len(agent.starts()) == 1
    assert (talk.said(attempt=1), talk.said(attempt=2)) == ("one", "two")
    told = [entry for entry in read(talk.run.directory / "journal.ndjson") if entry["kind"] == "session"]
    assert [(entry["attempt"], entry["id"]) for entry in told] == [(1, sessions[0]), (2, sessions[0])]
    assert "Already done" in agent.prompts()[0]
    assert "Already done" not in agent.prompts()[1]


def test_an_agent_stays_while_a_command_reviews_its_work(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one")), turn(text("two")))
    talk.works(agent)
    review = talk.owner.result(talk.owner.work("review", 1, command="sleep 600 >/dev/null 2>&1 & true"))
    assert (review["outcome"], review["leftovers"]) == ("passed", 1)
    talk.works(agent, 2)
    assert len(agent.starts()) == 1


def test_what_a_tool_leaves_running_is_ended_and_the_agent_stays(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(scripts.run("setsid sleep 600 >/dev/null 2>&1 & echo $!")), turn(text("two")))
    talk.works(agent)
    (pid,) = [int(entry["output"]) for entry in talk.transcript() if entry.get("output")]
    talk.works(agent, 2)
    assert len(agent.starts()) == 1
    talk.run.destroy()
    assert not psutil.pid_exists(pid)
    assert not psutil.pid_exists(agent.starts()[0]["pid"])


def test_a_quit_ends_an_agent_that_ignores_everything(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one")), ignores=("term", "end of stdin"))
    talk.works(agent)
    (start,) = agent.starts()
    talk.owner.say("quit")
    talk.owner.until("ended")
    wait_until(lambda: not psutil.pid_exists(start["pid"]), "the agent is gone")


def test_findings_and_a_persons_note_reach_the_next_attempt(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("again")))
    talk.works(agent, findings="The test fails.", task={**TASK, "note": "Use Lua."})
    assert "The test fails." in agent.prompts()[0]
    assert "Use Lua." in agent.prompts()[0]


# Permission


def asking(place: Path) -> Scripted:
    return scripted(
        place,
        turn(
            scripts.ask(
                "rm -rf build",
                input={"command": "rm -rf build"},
                once=[text("gone")],
                reject=[text("kept")],
                cancelled=[text("nobody")],
            )
        ),
    )


@pytest.mark.parametrize(("option", "words"), [("once", "gone"), ("reject", "kept")])
def test_a_person_is_asked_and_answers(talk: Talk, place: Path, option: str, words: str) -> None:
    agent = asking(place)
    request = talk.begin(agent, profile={"permission": "ask"})
    asked = talk.owner.until("asked")
    assert (asked["what"], asked["title"], asked["command"]) == ("permission", "rm -rf build", "rm -rf build")
    assert {one["kind"] for one in asked["options"]} == {"allow_once", "allow_always", "reject_once"}
    talk.answer(asked, option=option)
    answered = talk.owner.until("answered")
    assert (answered["question"], answered["option"], answered["by"]) == (asked["question"], option, "person")
    assert talk.owner.result(request)["outcome"] == "passed"
    assert words in talk.said()


@pytest.mark.parametrize(
    ("profile", "by"),
    [
        ({"permission": "allow"}, "policy"),
        ({"permission": "listed", "allowed": ["rm *"]}, "policy"),
        ({"permission": "listed", "allowed": ["bash(rm *)"]}, "policy"),
    ],
)
def test_the_policy_answers_where_it_can(talk: Talk, place: Path, profile: dict[str, Any], by: str) -> None:
    assert talk.works(asking(place), profile=profile)["outcome"] == "passed"
    assert [entry["by"] for entry in talk.transcript() if entry["kind"] == "answered"] == [by]
    assert "gone" in talk.said()


def test_what_is_not_listed_is_asked(talk: Talk, place: Path) -> None:
    request = talk.begin(asking(place), profile={"permission": "listed", "allowed": ["git *"]})
    talk.answer(talk.owner.until("asked"), option="reject")
    talk.owner.result(request)
    assert "kept" in talk.said()


def test_waiting_for_a_person_costs_no_time(talk: Talk, place: Path) -> None:
    agent = asking(place)
    fields = {"timeout": 2.0, "profile": {"permission": "ask", "silence": 1.5}}
    warm(talk, agent, **fields["profile"])
    request = talk.begin(agent, 2, **fields)
    asked = talk.owner.until("asked")
    wait_until(lambda: _passed(asked["at"], 2.5), "time passes")
    talk.answer(asked, option="once")
    assert talk.owner.result(request)["outcome"] == "passed"


def test_what_an_agent_does_beside_its_question_costs_time(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(scripts.together([scripts.ask("Deploy")], [scripts.run("sleep 600")])))
    warm(talk, agent)
    request = talk.begin(agent, 2, timeout=1.0)
    talk.owner.until("asked")
    assert talk.owner.result(request)["reason"] == "time_limit"


def warm(talk: Talk, agent: Scripted, **profile: Any) -> None:
    """Have the agent's process started, by a chunk of its own."""
    script = json.loads(agent.script.read_text())
    agent.script.write_text(json.dumps({**script, "turns": [turn(text("warm"), to="Warm up"), *script["turns"]]}))
    assert talk.works(agent, task={**TASK, "title": "Warm up"}, profile=profile)["outcome"] == "passed"


def _passed(since: str, seconds: float) -> bool:
    return (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds() > seconds


def test_an_agent_that_is_blocked_gets_a_persons_words(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("I looked.\nBLOCKED: Which port?")), turn(text("Done."), to="8080"))
    request = talk.begin(agent)
    asked = talk.owner.until("asked", what="blocked")
    assert asked["text"] == "Which port?"
    talk.answer(asked, text="Take 8080.")
    assert talk.owner.result(request)["outcome"] == "passed"
    assert agent.prompts()[1] == "Take 8080."


# People's words


def test_a_message_is_said_at_the_end_of_the_turn(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one"), scripts.await_file(str(place / "go"))), turn(text("two"), to="Also b"))
    request = talk.begin(agent)
    talk.owner.until("started")
    wait_until(lambda: agent.prompts(), "the prompt is there")
    for _ in range(2):
        talk.owner.say("tell", message=7, text="Also b.txt.")
    (place / "go").touch()
    assert talk.owner.until("told")["message"] == 7
    assert talk.owner.result(request)["outcome"] == "passed"
    assert len(agent.prompts()) == 2
    assert [entry["text"] for entry in talk.transcript() if entry["kind"] == "message"] == ["Also b.txt."]


def test_an_urgent_message_cuts_the_turn_short(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one"), scripts.hang()), turn(text("two"), to="Stop that"))
    request = talk.begin(agent)
    wait_until(lambda: agent.prompts(), "the prompt is there")
    talk.owner.say("tell", message=7, text="Stop that.", now=True)
    assert talk.owner.result(request)["outcome"] == "passed"
    assert "two" in talk.said()


# Pausing


def test_pause_cancels_the_turn_and_resume_asks_to_go_on(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one"), scripts.hang()), turn(text("two"), to="go on"))
    request = talk.begin(agent)
    wait_until(lambda: agent.prompts(), "the prompt is there")
    talk.owner.say("pause")
    talk.owner.until("paused")
    assert len(agent.calls("session/cancel")) >= 1
    (start,) = agent.starts()
    assert psutil.Process(start["pid"]).status() == psutil.STATUS_STOPPED
    talk.owner.say("resume")
    assert talk.owner.result(request)["outcome"] == "passed"
    assert len(agent.starts()) == 1
    assert len({call["sessionId"] for call in agent.calls("session/prompt")}) == 1


def test_an_agent_deaf_to_cancel_is_frozen_all_the_same(talk: Talk, place: Path) -> None:
    deaf = turn(text("one"), scripts.await_file(str(place / "go")), text("two"), deaf=True)
    agent = scripted(place, deaf, turn(text("three"), to="go on"))
    request = talk.begin(agent)
    wait_until(lambda: agent.prompts(), "the prompt is there")
    talk.owner.say("pause")
    talk.owner.until("paused")
    assert psutil.Process(agent.starts()[0]["pid"]).status() == psutil.STATUS_STOPPED
    (place / "go").touch()
    talk.owner.say("resume")
    assert talk.owner.result(request)["outcome"] == "passed"
    assert talk.said() == "onetwothree"  # whether it heard that it was cancelled is not known: it is asked to go on


def test_a_stop_in_mid_turn_leaves_nothing(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(scripts.run("sleep 600 & echo up"), scripts.hang()), ignores=("term",))
    request = talk.begin(agent, grace=0.2)
    wait_until(lambda: agent.prompts(), "the prompt is there")
    talk.owner.say("interrupt")
    assert talk.owner.result(request)["outcome"] == "interrupted"
    assert not psutil.pid_exists(agent.starts()[0]["pid"])


# Faults


def fails(talk: Talk, agent: Scripted, **more: Any) -> tuple[str, str]:
    result = talk.works(agent, **more)
    assert result["outcome"] == "failed", result
    return result["reason"], result["message"]


def test_an_agent_that_is_not_installed(talk: Talk, place: Path) -> None:
    reason, message = fails(talk, scripted(place), profile={"command": "no-such-agent", "arguments": []})
    assert reason == "agent_missing"
    assert "no-such-agent" in message


@pytest.mark.parametrize("how", ["never", "exit", "error"])
def test_a_handshake_that_fails(talk: Talk, place: Path, how: str) -> None:
    reason, message = fails(talk, scripted(place, handshake=how), profile={"handshake": 0.5})
    assert reason in ("agent_handshake", "agent_exited", "provider_error")
    assert "agent" in message


def test_an_agent_killed_in_mid_turn_is_started_again_with_its_session(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one"), scripts.hang()), turn(text("two"), to="go on|Go on"), offers=("load",))
    request = talk.begin(agent)
    talk.owner.until("output", attempt=1)
    kill(agent.starts()[0]["pid"])
    assert talk.owner.result(request)["outcome"] == "passed"
    assert len(agent.starts()) == 2
    assert len({call["sessionId"] for call in agent.calls("session/prompt")}) == 1


def test_an_agent_that_cannot_load_sessions_is_told_everything_again(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one"), scripts.die()), turn(text("two")), offers=())
    assert talk.works(agent)["outcome"] == "passed"
    _, second = agent.prompts()
    assert "Write a token bucket." in second
    assert "Already done" in second


def test_an_agent_that_keeps_dying_fails_the_attempt(talk: Talk, place: Path) -> None:
    reason, message = fails(talk, scripted(place, scripts.always(text("x"), scripts.leave(3))))
    assert (reason, "exit code 3" in message) == ("agent_exited", True)


def test_a_session_of_an_earlier_run_is_taken_up(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one")), turn(text("two")), offers=("resume",))
    session = talk.works(agent)["facts"]["session"]
    talk.run.destroy()
    again = Run(talk.run.launcher, 12, 2)
    assert again.start()["ok"]
    later = Talk(again.attach())
    assert later.works(agent, 2, session=session)["facts"]["session"] == session
    assert "Already done" not in agent.prompts()[1]


def test_a_session_that_no_longer_exists_is_begun_anew(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one")), offers=("load",))
    result = talk.works(agent, session="gone")
    assert result["outcome"] == "passed"
    assert result["facts"]["session"] != "gone"
    assert "not known to the agent any more" in talk.said("note")
    assert "Already done" in agent.prompts()[0]


@pytest.mark.parametrize("step", [scripts.raw('{"jsonrpc": "2.0", nonsense'), scripts.huge()])
def test_nonsense_and_giants_end_the_agent_with_a_reason(talk: Talk, place: Path, step: scripts.Step) -> None:
    assert fails(talk, scripted(place, scripts.always(step, scripts.hang())))[0] == "agent_protocol"
    assert talk.works(scripted(place / "..", turn(text("fine"))), 2)["outcome"] == "passed"


def test_silence_is_a_fault_of_its_own(talk: Talk, place: Path) -> None:
    reason, message = fails(talk, scripted(place, turn(text("one"), scripts.hang())), profile={"silence": 0.6})
    assert (reason, "0.6 s" in message) == ("agent_silent", True)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ((), "agent_empty"),
        ((text("no"), scripts.end("refusal")), "agent_refused"),
        ((text("long"), scripts.end("max_tokens")), "agent_limit"),
    ],
)
def test_turns_that_are_no_success(talk: Talk, place: Path, steps: tuple[scripts.Step, ...], reason: str) -> None:
    assert fails(talk, scripted(place, scripts.always(*steps)))[0] == reason


@pytest.mark.parametrize(
    ("message", "data", "reason"),
    [
        ("Internal error", {"message": "401 Unauthorized: invalid API key"}, "provider_credentials"),
        ("ProviderModelNotFoundError", {"providerID": "zai", "modelID": "glm-9"}, "provider_model"),
        ("Internal error", {"details": "something odd"}, "provider_error"),
    ],
)
def test_provider_errors_are_told_apart(talk: Talk, place: Path, message: str, data: Any, reason: str) -> None:
    assert fails(talk, scripted(place, turn(scripts.fail(-32603, message, data))))[0] == reason


def test_a_rate_limit_is_waited_out(talk: Talk, place: Path) -> None:
    limited = scripts.fail(-32603, "Too Many Requests", {"statusCode": 429, "headers": {"retry-after": "2"}})
    agent = scripted(place, turn(limited), turn(text("fine")))
    warm(talk, agent)
    request = talk.begin(agent, 2, timeout=2.0)
    waiting = talk.owner.until("waiting")
    assert waiting["reason"] == "provider_rate_limit"
    assert waiting["until"]
    talk.owner.until("going_on")
    assert talk.owner.result(request)["outcome"] == "passed"
    assert "Write a token bucket." in agent.prompts()[2]


def test_a_limit_that_lasts_too_long_fails_with_its_reset_time(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(scripts.fail(-32603, "Rate limit, try again in 5h")))
    assert fails(talk, agent)[0] == "provider_rate_limit"


def test_secrets_reach_the_agent_and_nothing_that_is_stored(talk: Talk, place: Path) -> None:
    secret = "sk-very-secret-0123456789"
    steps = (text(f"The key is {secret}!", piece=3), scripts.run(f"echo {secret}"), scripts.stderr(secret))
    strange = {"sessionId": "x", "update": {"sessionUpdate": secret}}
    steps += (scripts.raw(json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": strange})),)
    failing = scripts.fail(-32603, "Unauthorized", {"message": f"401: {secret} is no key"})
    agent = scripted(place, turn(*steps, scripts.ask(f"use {secret}"), failing))
    request = talk.begin(agent, profile={"secrets": {"API_KEY": secret}})
    talk.answer(talk.owner.until("asked"), option="once")
    assert talk.owner.result(request)["reason"] == "provider_credentials"
    assert agent.starts()[0]["environment"]["API_KEY"] == secret
    apart = (place, talk.run.launcher.directory / "agents")  # what the agent itself stores is its own
    stored = b"".join(
        path.read_bytes()
        for path in talk.run.launcher.directory.rglob("*")
        if path.is_file() and not any(one in path.parents for one in apart)
    )
    assert secret.encode() not in stored
    strange_log = (talk.run.directory / "runner.log").read_text()  # of the protocol's package
    assert "Input tag '•••'" in strange_log
    assert "input_value" not in strange_log  # cut in the middle, where half a secret could stay
    assert "The key is •••!" in talk.said()


def test_each_worker_has_agent_data_of_its_own_with_the_sign_in_linked(talk: Talk, place: Path) -> None:
    home = place / "home"
    (home / ".local/share/opencode").mkdir(parents=True)
    (home / ".local/share/opencode/auth.json").write_text("{}")
    agent = scripted(place, turn(text("one")))
    fields = {"environment": {"HOME": str(home)}, "login_files": ["XDG_DATA_HOME/opencode/auth.json"]}
    talk.works(agent, profile=fields)
    own = Path(agent.starts()[0]["environment"]["XDG_DATA_HOME"])
    assert own.is_relative_to(talk.run.launcher.directory / "agents")
    assert (own / "opencode/auth.json").resolve() == (home / ".local/share/opencode/auth.json").resolve()


def test_model_and_mode_are_set_where_the_agent_offers_them(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one")), choices={"model": ["small", "opus[1m]"], "mode": ["plan", "build"]})
    assert talk.works(agent, profile={"model": "opus", "mode": "build"})["outcome"] == "passed"
    chosen = {call["configId"]: call["value"] for call in agent.calls("session/set_config_option")}
    assert chosen == {"model": "opus[1m]", "mode": "build"}


def test_a_model_that_is_not_offered_is_named_with_those_that_are(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(text("one")), choices={"model": ["small", "large"]})
    reason, message = fails(talk, agent, profile={"model": "huge"})
    assert reason == "provider_model"
    assert "It offers: small, large." in message


def test_a_denial_that_ends_the_turn_is_followed_by_another_way(talk: Talk, place: Path) -> None:
    agent = scripted(place, turn(scripts.ask("rm -rf /", reject=[])), turn(text("other way"), to="not permitted"))
    request = talk.begin(agent, profile={"permission": "ask"})
    talk.answer(talk.owner.until("asked"), option="reject", text="Keep the files.")
    assert talk.owner.result(request)["outcome"] == "passed"
    assert "Keep the files." in agent.prompts()[1]
