"""The real opencode carries chunks out: engine, runner, agent and git, with nothing replaced but the model."""

import json
import signal
import threading
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.agents.crew import Crew, agent_of, question, runner_of, writes
from tests.support import make
from tests.support.driving import Background, attempts, leftovers, now
from tests.support.openai_server import (
    Answer,
    Model,
    Part,
    answer,
    call,
    drop,
    endless,
    hold,
    refuse,
    say,
    serving,
    usage,
)
from tests.support.opencode import Opencode
from tests.support.repository import git
from tests.support.wait import until
from workers.models import Attempt, Message, Worker, accept
from workers.states import AttemptStatus, WorkerStatus

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("launcher", "valkey", "owned"),
    pytest.mark.timeout(300),
]

VERDICT = '{"verdict": "pass", "findings": []}'


@pytest.fixture
def crew(opencode: Opencode, tmp_path: Path) -> Any:
    with serving() as model:
        yield Crew(opencode, model, tmp_path)


def completed(worker: Worker, done: "Future[None]") -> Worker:
    done.result(120)
    worker = now(worker)
    assert (worker.status, worker.error, worker.attention, worker.waits_for) == (WorkerStatus.COMPLETED, "", "", "")
    assert leftovers(worker) == []
    return worker


def transcript(attempt: Attempt) -> list[dict[str, Any]]:
    return [json.loads(line) for line in attempt.transcript_path.read_text().splitlines()]


def script_of_fruit(model: Model, fruit: str, meet: Part) -> None:
    """Three chunks; the second is done wrong at first, an agent reviews the third."""

    def to(chunk: int, more: str = "") -> str:
        return f"(?s)^You work on chunk {chunk} of 3 of the spec “{fruit}”{more}"

    model.add(
        answer(meet, call("write", filePath=f"{fruit}-1.txt", content="1\n"), to=to(1)),
        answer(say("One."), to=to(1)),
        *writes(f"{fruit}-2.txt", "green\n", to=to(2, "(?!.*must be red)")),
        *writes(f"{fruit}-2.txt", "red\n", to=to(2, ".*must be red")),
        *writes(f"{fruit}-3.txt", "3\n", to=to(3)),
        answer(say(f"Fine.\n\n{VERDICT}"), to=f"^Review the work on chunk 3 of 3 of the spec “{fruit}”"),
    )


def test_two_workers_at_once_on_one_repository_with_reviews_and_a_retry_with_findings(
    crew: Crew, background: Background
) -> None:
    both_are_at_work = threading.Barrier(2)
    fruits = ("Apples", "Pears")
    for fruit in fruits:
        script_of_fruit(crew.model, fruit, lambda stream: both_are_at_work.wait(60) and None)
    workers = [crew.worker(*chunks_of(fruit), title=fruit) for fruit in fruits]
    running = [background(worker) for worker in workers]
    for fruit, worker, done in zip(fruits, workers, running, strict=True):
        worker = completed(worker, done)
        assert attempts(worker) == [
            (1, 1, "passed", ""),
            (2, 1, "failed", "review_failed"),
            (2, 2, "passed", ""),
            (3, 1, "passed", ""),
        ]
        files = [crew.on_branch(worker, f"{fruit}-{number}.txt") for number in (1, 2, 3)]
        assert files == ["1", "red", "3"]
        assert len(git(crew.source, "log", "--format=%h", f"main..{worker.branch}").split()) == 3
        asked = [request for request in crew.model.requests if f"“{fruit}”" in request.conversation]
        assert [request.outcome for request in asked] == ["answered"] * 9
        sessions = {request.headers["x-session-id"] for request in asked}
        assert len(sessions) == 2, "one for the three chunks, one for the review"
        assert worker.session_id in sessions
        assert (worker.tokens_in, worker.tokens_out) == (9 * 100, 9 * 20)
        assert worker.cost == Decimal("0.0013"), "9 times 140 millionths of a dollar, as the column rounds it"


def chunks_of(fruit: str) -> list[dict[str, Any]]:
    second = {"command": f"grep -q red {fruit}-2.txt || {{ echo it must be red; exit 1; }}"}
    third = {"agent": {"profile": "opencode", "instructions": "Is it a three?"}}
    return [{}, {"review": second}, {"review": third}]


def test_pause_in_the_middle_of_a_turn_freezes_it_and_resume_goes_on(crew: Crew, background: Background) -> None:
    crew.model.add(answer(say("Half "), hold(threading.Event())), *writes("b.txt", "b\n", to="You were interrupted"))
    worker = crew.worker()
    done = background(worker)
    crew.asked(1)
    agent = agent_of(worker)
    now(worker).request_pause("mira")
    until(lambda: now(worker).status == WorkerStatus.PAUSED, 30, "paused")
    assert agent.status() == psutil.STATUS_STOPPED
    assert crew.model.requests[0].outcome == "gone", "the turn was cancelled, nothing goes on at the provider"
    now(worker).request_resume("mira")
    worker = completed(worker, done)
    assert attempts(worker) == [(1, 1, "passed", "")]
    assert crew.on_branch(worker, "b.txt") == "b"
    assert "Half" in crew.model.requests[-1].conversation
    assert len({request.headers["x-session-id"] for request in crew.model.requests}) == 1


def test_an_agent_that_is_killed_in_the_middle_of_a_turn_goes_on_in_its_session(
    crew: Crew, background: Background
) -> None:
    crew.model.add(
        answer(call("write", filePath="half.txt", content="half\n")),
        answer(say("And "), hold(threading.Event())),
        *writes("rest.txt", "rest\n", to="Go on with the task"),
    )
    worker = crew.worker()
    done = background(worker)
    crew.asked(2)
    killed = agent_of(worker)
    killed.send_signal(signal.SIGKILL)
    worker = completed(worker, done)
    assert attempts(worker) == [(1, 1, "passed", "")]
    assert (crew.on_branch(worker, "half.txt"), crew.on_branch(worker, "rest.txt")) == ("half", "rest")
    assert "You work on chunk 1 of 1" in crew.model.requests[-1].conversation
    assert len({request.headers["x-session-id"] for request in crew.model.requests}) == 1


def test_a_runner_that_is_killed_in_the_middle_of_a_turn_is_followed_by_another_in_the_same_session(
    crew: Crew, background: Background
) -> None:
    crew.model.add(
        answer(call("write", filePath="half.txt", content="half\n")),
        answer(say("And "), hold(threading.Event())),
        *writes("rest.txt", "rest\n"),
    )
    worker = crew.worker()
    done = background(worker)
    crew.asked(2)
    until(lambda: now(worker).session_id, 30, "the session is known")
    agent = agent_of(worker)
    psutil.Process(runner_of(worker)).send_signal(signal.SIGKILL)
    worker = completed(worker, done)
    assert attempts(worker) == [(1, 1, "lost", "runner_lost"), (1, 2, "passed", "")]
    assert crew.on_branch(worker, "rest.txt") == "rest"
    assert not agent.is_running()
    assert {request.headers["x-session-id"] for request in crew.model.requests} == {worker.session_id}
    assert "half.txt" in json.dumps(crew.model.requests[-1].messages)


def test_a_worker_that_is_tried_again_goes_on_in_its_session(crew: Crew, background: Background) -> None:
    gate = threading.Event()
    crew.model.add(*writes("b.txt", "b\n", to="chunk 1 of 2"), answer(hold(gate), to="chunk 2 of 2"))
    first = crew.worker({}, {})
    done = background(first)
    crew.asked(3)
    until(lambda: now(first).passed == 1 and now(first).session_id, 60, "it works on the second chunk")
    now(first).request_stop("mira")
    done.result(60)
    gate.set()
    first = now(first)
    crew.model.add(*writes("c.txt", "c\n"))
    assert first.spec is not None
    second = accept(first.spec, slot=make.free_slot(), node=first.node, by="mira", continues=first)
    second = completed(second, background(second))
    assert second.session_id == first.session_id
    assert crew.on_branch(second, "c.txt") == "c"
    assert {request.headers["x-session-id"] for request in crew.model.requests} == {first.session_id}
    assert "Wrote b.txt." in crew.model.requests[-1].conversation
    assert second.tokens_in == 200  # none of what the first one has used


def test_a_rate_limit_is_shown_until_it_is_over(crew: Crew, background: Background) -> None:
    crew.model.add(answer(refuse(429, "Too many fruits", retry_after="6")), *writes("b.txt", "b\n"))
    worker = crew.worker()
    done = background(worker)
    shown = until(lambda: now(worker).waits_for, 60, "it says what it waits for")
    assert "Too many fruits" in shown
    worker = completed(worker, done)
    assert attempts(worker) == [(1, 1, "passed", "")]


def test_what_a_long_turn_has_used_so_far_is_known_before_it_ends(crew: Crew, background: Background) -> None:
    goes_on = threading.Event()
    crew.model.add(answer(call("write", filePath="a.txt", content="a\n"), usage(1000, 50)))
    crew.model.add(answer(hold(goes_on), say("Done."), usage(100, 20)))
    worker = crew.worker({})
    done = background(worker)
    until(lambda: now(worker).tokens_in == 1000)
    assert now(worker).tokens_out == 50
    assert Attempt.objects.get().status == AttemptStatus.RUNNING
    goes_on.set()
    assert completed(worker, done).tokens_in == 1100


def delegated(*commands: str) -> list[Answer]:
    """A turn in which a subagent runs these commands, one after the other."""
    task = call("task", description="Count", prompt="Count the fruits", subagent_type="general")
    steps = [call("bash", command=command, description="Count") for command in commands]
    below = [answer(step, usage(10, 2), to="^Count") for step in steps]
    return [answer(task, usage(100, 20)), *below, answer(say("Seven."), usage(10, 2), to="^Count")]


def test_a_subagent_at_work_is_no_silence_and_what_it_uses_counts(crew: Crew, background: Background) -> None:
    crew.profile(silence_seconds=4)
    crew.model.add(*delegated(*["sleep 2"] * 3), answer(call("write", filePath="b.txt", content="b\n"), usage(100, 20)))
    crew.model.add(answer(say("Done."), usage(100, 20, 40)))
    worker = crew.worker()
    worker = completed(worker, background(worker))
    assert attempts(worker) == [(1, 1, "passed", "")]
    assert (worker.tokens_in, worker.tokens_out, worker.cached_read) == (340, 68, 40)


def test_a_subagent_that_hangs_is_silence(crew: Crew, background: Background) -> None:
    crew.profile(silence_seconds=4)
    crew.model.add(*delegated("sleep 600"))
    worker = crew.worker(max_attempts=1)
    done = background(worker)
    assert "Nothing came from the agent" in question(worker).text
    assert attempts(worker) == [(1, 1, "failed", "agent_silent")]
    now(worker).request_stop("mira")
    done.result(60)


def test_a_rate_limit_of_a_subagent_is_shown_too(crew: Crew, background: Background) -> None:
    first, *rest = delegated("true")
    crew.model.add(first, answer(refuse(429, "Too many fruits", retry_after="6"), to="^Count"), *rest)
    crew.model.add(*writes("b.txt", "b\n"))
    worker = crew.worker()
    done = background(worker)
    shown = until(lambda: now(worker).waits_for, 60, "it says what it waits for")
    assert "Too many fruits" in shown
    assert attempts(completed(worker, done)) == [(1, 1, "passed", "")]


@pytest.mark.parametrize(
    ("fault", "reason", "words"),
    [
        (refuse(401, "Incorrect API key provided", "invalid_api_key"), "provider_credentials", "Incorrect API key"),
        (refuse(404, "The model `one` does not exist", "model_not_found"), "provider_model", "does not exist"),
    ],
    ids=["key", "model"],
)
def test_what_a_provider_refuses_is_named_and_left_to_a_person(
    crew: Crew, background: Background, fault: Part, reason: str, words: str
) -> None:
    crew.model.add(answer(fault), *writes("b.txt", "b\n"))
    worker = crew.worker(max_attempts=1)
    done = background(worker)
    asked = question(worker)
    assert words in asked.text
    assert words in Attempt.objects.get().message
    asked.respond("retry", "", "mira")
    worker = completed(worker, done)
    assert attempts(worker) == [(1, 1, "failed", reason), (1, 2, "passed", "")]


def test_a_model_that_the_agent_does_not_offer_is_named(crew: Crew, background: Background) -> None:
    worker = crew.worker({"params": {"model": "scripted/three"}}, max_attempts=1)
    done = background(worker)
    assert "scripted/two" in question(worker).text
    now(worker).request_stop("mira")
    done.result(60)
    assert attempts(worker) == [(1, 1, "failed", "provider_model")]
    assert crew.model.requests == []


def test_the_model_of_a_chunk_is_the_one_that_is_asked(crew: Crew, background: Background) -> None:
    crew.model.add(*writes("b.txt", "b\n", model="two"))
    worker = crew.worker({"params": {"model": "scripted/two"}})
    worker = completed(worker, background(worker))
    assert attempts(worker) == [(1, 1, "passed", "")]


def test_connections_that_break_and_an_answer_that_is_empty_are_tried_again(crew: Crew, background: Background) -> None:
    crew.model.add(answer(drop()), answer(), *writes("b.txt", "b\n"))
    worker = crew.worker()
    worker = completed(worker, background(worker))
    assert attempts(worker) == [(1, 1, "passed", "")]
    assert crew.on_branch(worker, "b.txt") == "b"


def test_an_endless_answer_is_stopped_and_leaves_nothing(crew: Crew, background: Background) -> None:
    crew.model.add(answer(endless(every=0.001)))
    worker = crew.worker()
    done = background(worker)
    until(lambda: (found := Attempt.objects.first()) and found.transcript_bytes > 20_000, 60, "it goes on and on")
    agent = agent_of(worker)
    now(worker).request_stop("mira")
    done.result(60)
    assert (now(worker).status, attempts(worker)) == (WorkerStatus.STOPPED, [(1, 1, "interrupted", "interrupted")])
    assert leftovers(worker) == []
    assert not agent.is_running()
    until(lambda: crew.model.requests[0].outcome == "gone", 10, "the provider is left alone")


def test_a_person_permits_one_thing_and_denies_another_with_words(crew: Crew, background: Background) -> None:
    crew.profile({"permission": {"edit": "ask", "bash": "ask"}})
    crew.model.add(
        answer(call("write", filePath="b.txt", content="b\n")),
        answer(call("bash", command="touch c.txt", description="Touch")),
        answer(say("Then not."), to="Only text, please"),
    )
    worker = crew.worker()
    done = background(worker)
    asked = question(worker)
    (diff,) = asked.detail["diffs"]
    assert (Path(diff["path"]).name, diff["old"], diff["new"]) == ("b.txt", "", "b\n")
    asked.respond("once", "", "mira")
    asked = until(lambda: (found := question(worker)).pk != asked.pk and found, 60, "it asks for the command")
    assert asked.detail["command"] == "touch c.txt"
    asked.respond("reject", "Only text, please.", "mira")
    worker = completed(worker, done)
    assert git(crew.source, "ls-tree", "--name-only", worker.branch).split() == ["a.txt", "b.txt"]


def test_a_person_is_heard_at_once(crew: Crew, background: Background) -> None:
    crew.model.add(answer(say("Half "), hold(threading.Event())), *writes("b.txt", "tabs\n", to="Use tabs"))
    worker = crew.worker()
    done = background(worker)
    crew.asked(1)
    message = Message.send(worker, "Use tabs.", "mira", now=True)
    worker = completed(worker, done)
    message.refresh_from_db()
    assert message.said_at is not None
    assert crew.on_branch(worker, "b.txt") == "tabs"


def test_what_it_does_can_be_read_later_and_holds_no_secret(crew: Crew, background: Background) -> None:
    secret = "s3cr3t-of-the-provider"
    crew.profile(secrets={"FRUIT_KEY": secret})
    todos = [{"content": "Write", "status": "in_progress", "priority": "high"}]
    crew.model.add(
        answer(call("todowrite", todos=todos)),
        answer(call("edit", filePath="a.txt", oldString="one", newString="ONE")),
        answer(call("bash", command="env", description="Look around"), usage(500, 7)),
        answer(say("Done.")),
    )
    worker = crew.worker()
    worker = completed(worker, background(worker))
    assert attempts(worker) == [(1, 1, "passed", "")]
    attempt = Attempt.objects.get()
    lines = transcript(attempt)
    kinds = [line["kind"] for line in lines]
    assert [kinds.count(kind) for kind in ("prompt", "plan")] == [1, 1]
    (diff,) = next(line["diffs"] for line in lines if line.get("diffs"))
    assert (diff["old"], diff["new"]) == ("one", "ONE")
    assert "".join(line["text"] for line in lines if line["kind"] == "text") == "Done."
    everything = attempt.transcript_path.read_text() + attempt.log_path.read_text()
    assert "FRUIT_KEY=" in everything
    assert secret not in everything
    assert (attempt.tokens_in, attempt.tokens_out) == (800, 67)


def test_the_key_to_its_server_is_no_part_of_what_people_read(crew: Crew, background: Background) -> None:
    crew.model.add(
        answer(call("bash", command="echo key $OPENCODE_SERVER_PASSWORD.", description="x")), answer(say("K"))
    )
    worker = crew.worker()
    completed(worker, background(worker))
    key = next(request for request in crew.model.requests if request.results).results[0].split()[1].rstrip(".")
    assert len(key) > 20
    attempt = Attempt.objects.get()
    assert key not in attempt.transcript_path.read_text() + attempt.log_path.read_text()
