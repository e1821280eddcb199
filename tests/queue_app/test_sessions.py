"""The limit that an agent profile has: who counts against it, who waits for it, and what that costs."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from queue_app import dispatch
from queue_app.models import WorkerQueue, Yard
from queue_app.sessions import in_use
from queue_app.waiting import Cause, Situation, Wait, why
from specs.models import AgentProfile, Project, Spec
from tests.support import make
from workers.models import Node, Worker, WorkerChunk
from workers.states import Reason

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def node() -> Node:
    return make.node(capabilities={"executors": ["agent", "command"]})


@pytest.fixture
def one_codex() -> None:
    """One worker at a time may use the profile codex."""
    AgentProfile.objects.filter(name="codex").update(max_sessions=1)


def agent(profile: str = "", **more: Any) -> dict[str, Any]:
    return make.for_agent(params={"profile": profile} if profile else {}, **more)


def reviewed(profile: str = "") -> dict[str, Any]:
    return {"review": {"agent": {"profile": profile, "instructions": ""}}}


def add(*chunks: str | dict[str, Any], project: Project | None = None) -> Worker | WorkerQueue:
    return dispatch.enqueue(make.spec(*chunks, project=project), by="mira")


def reason(entry: Worker | WorkerQueue) -> Wait | None:
    assert isinstance(entry, WorkerQueue)
    situation = Situation.read(Yard.current(), timezone.now())
    fresh = WorkerQueue.objects.select_related("spec__project").get(pk=entry.pk)
    drawn = Situation.read(Yard.current(), timezone.now())
    drawn.learn([fresh])
    found = why(fresh, situation)
    assert why(fresh, drawn) == found
    return found


def run_to_the_end(worker: Worker, passed: int = 0) -> Worker:
    """The worker fails after so many chunks have passed."""
    claimed = Worker.claim(worker.pk, worker.epoch)
    assert claimed is not None
    WorkerChunk.objects.filter(worker=claimed, ordinal__lte=passed).update(outcome="passed")
    claimed.fail(Reason.CHUNK_FAILED, "no")
    claimed.refresh_from_db()
    return claimed


@pytest.mark.usefixtures("one_codex")
@pytest.mark.parametrize("chunk", [agent("codex"), reviewed("codex")], ids=["work", "review"])
def test_a_full_profile_is_waited_for_and_others_pass(chunk: dict[str, Any]) -> None:
    first = add(agent("codex"))
    assert isinstance(first, Worker)
    waiting = add("true", chunk)
    assert reason(waiting) == Wait(Cause.PROFILE_LIMIT, "Profile codex: 1/1 sessions")
    assert isinstance(add("true"), Worker)
    assert isinstance(add(agent("claude")), Worker)
    run_to_the_end(first)
    dispatch.fill_slots()
    assert not WorkerQueue.objects.exists()


@pytest.mark.usefixtures("one_codex")
def test_several_that_start_at_once_are_counted_too() -> None:
    dispatch.set_limit(0, by="mira")
    for _ in range(3):
        add("true", agent("codex"))
    dispatch.set_limit(5, by="mira")
    assert Worker.objects.count() == 1
    assert {reason(entry) for entry in WorkerQueue.objects.all()} == {
        Wait(Cause.PROFILE_LIMIT, "Profile codex: 1/1 sessions")
    }


def test_the_default_profile_counts_where_none_is_named() -> None:
    AgentProfile.objects.filter(name__in=("opencode", "codex")).update(max_sessions=1)
    project = make.project(default_profile="codex")
    assert isinstance(add(agent()), Worker)
    assert isinstance(add(agent(), project=project), Worker)
    assert in_use() == {"opencode": 1, "codex": 1}
    wait = reason(add(reviewed()))
    assert wait is not None
    assert wait.text == "Profile opencode: 1/1 sessions"
    wait = reason(add(reviewed(), project=project))
    assert wait is not None
    assert wait.text == "Profile codex: 1/1 sessions"


def test_a_worker_counts_until_its_agents_work_is_done_and_its_session_over() -> None:
    worker = make.agents_worker({"params": {"profile": "codex"}}, {"executor": "command", "params": {"run": "true"}})
    assert in_use() == {"codex": 1}
    WorkerChunk.objects.filter(worker=worker, ordinal=1).update(outcome="passed")
    assert in_use() == {}
    Worker.objects.filter(pk=worker.pk).update(session_profile="codex")
    assert in_use() == {"codex": 1}
    worker.refresh_from_db()
    worker.fail(Reason.CHUNK_FAILED, "no")
    assert in_use() == {}


@pytest.mark.usefixtures("one_codex")
def test_what_has_passed_before_needs_no_session_again() -> None:
    first = add(agent("codex"), "false")
    assert isinstance(first, Worker)
    ended = run_to_the_end(first, passed=1)
    assert isinstance(add(agent("codex")), Worker)
    again = dispatch.retry(ended, "mira")
    assert isinstance(again, Worker)
    assert again.continues == ended


@pytest.mark.usefixtures("one_codex")
def test_what_has_not_passed_waits_again() -> None:
    first = add("true", agent("codex"))
    assert isinstance(first, Worker)
    ended = run_to_the_end(first, passed=1)
    assert isinstance(add(agent("codex")), Worker)
    wait = reason(dispatch.retry(ended, "mira"))
    assert wait is not None
    assert wait.cause == Cause.PROFILE_LIMIT


@pytest.mark.usefixtures("one_codex")
def test_what_was_discarded_has_to_be_done_again() -> None:
    first = add(agent("codex"), "false")
    assert isinstance(first, Worker)
    ended = run_to_the_end(first, passed=1)
    Worker.objects.filter(pk=ended.pk).update(branch="spec/x-1")
    ended.landings.create(kind="discard", done_at=timezone.now())
    assert isinstance(add(agent("codex")), Worker)
    ended.refresh_from_db()
    wait = reason(dispatch.retry(ended, "mira"))
    assert wait is not None
    assert wait.cause == Cause.PROFILE_LIMIT


def test_a_higher_limit_lets_the_next_start() -> None:
    AgentProfile.objects.filter(name="codex").update(max_sessions=2)
    started = [add(agent("codex")) for _ in range(3)]
    assert [type(item) for item in started] == [Worker, Worker, WorkerQueue]
    AgentProfile.objects.filter(name="codex").update(max_sessions=None)
    assert reason(started[2]) is None


@pytest.mark.usefixtures("one_codex")
@pytest.mark.parametrize("chunk", [agent("codex"), reviewed("codex"), agent()], ids=["named", "review", "default"])
def test_looking_past_many_that_wait_for_a_profile_costs_little(chunk: dict[str, Any]) -> None:
    project = make.project(default_profile="codex")
    add(agent("codex"))
    dispatch.set_limit(0, by="mira")
    for _ in range(120):
        add("true", chunk, project=project)
    dispatch._set_limit(3, by="mira")

    def queries() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as asked:
            started = dispatch.fill_slots()
        return len(started), len(asked)

    started, asked = queries()
    assert (started, asked < 16) == (0, True)
    behind = dispatch._add(make.spec(), "mira", timezone.now())
    started, asked = queries()
    assert (started, asked < 29) == (1, True)
    assert not WorkerQueue.objects.filter(pk=behind.pk).exists()


def test_parameters_that_are_not_text_stop_nobody() -> None:
    AgentProfile.objects.update(max_sessions=1)
    make.agents_worker({"params": {"profile": ["x"]}, "review": {"agent": None}})
    assert in_use() == {}
    assert isinstance(add(make.for_agent(params={"profile": 7})), Worker)
    assert Spec.objects.count() == 2
