"""Workers whose chunks an agent carries out: engine, runner and a scripted agent, with people in the loop."""

import os
import shutil
import signal
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest

from tests.support import make
from tests.support.driving import Background, attempts, driven, leftovers, now, outcomes
from tests.support.repository import git, repository
from tests.support.scripts import (
    ONCE,
    REJECT,
    Scripted,
    Step,
    ask,
    await_file,
    edit,
    end,
    hang,
    scripted,
    text,
    turn,
    usage,
)
from tests.support.wait import until
from workers import driving, launch
from workers.errors import StaleTransition
from workers.models import Attempt, Message, Question, Worker, accept
from workers.states import WorkerStatus
from workers.workspace import agent_data

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher", "valkey")]

SECRET = "s3cr3t-of-the-agent"


class Team:
    """A project in a git repository, and an agent with a script."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.source = repository(directory / "project")

    def agent(self, *turns: Step, name: str = "painter", **fields: Any) -> Scripted:
        """Have the profile of that name start an agent with this script."""
        agent = scripted(self.directory, *turns, name=name, **fields)
        command, *arguments = agent.argv
        made = make.profile(name=name, command=command, arguments=arguments, secrets={"API_KEY": SECRET})
        made.permission = fields.get("permission", "ask")
        made.save()
        return agent

    def worker(self, *chunks: dict[str, Any], **fields: Any) -> Worker:
        project = make.project(self.source, isolation="worktree", default_profile="painter")
        return make.worker(*(make.for_agent(**chunk) for chunk in chunks or ({},)), project=project, **fields)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


def question(worker: Worker) -> Question:
    """What the worker waits for a person for."""
    return until(lambda: worker.questions.filter(answered_at=None, closed="").first(), what="a person is asked")


def working(agent: Scripted, prompts: int) -> None:
    """Wait until the agent has been told so many things."""
    until(lambda: len(agent.prompts()) >= prompts, what=f"{prompts} prompts")


def completed(worker: Worker, done: "Future[None]") -> Worker:
    done.result(30)
    worker = now(worker)
    assert (worker.status, worker.error, worker.attention) == (WorkerStatus.COMPLETED, "", "")
    assert leftovers(worker) == []
    return worker


def file_on_branch(worker: Worker, name: str) -> str:
    return git(Path(worker.project.directory), "show", f"{worker.branch}:{name}")


def test_an_agent_does_every_chunk_in_one_session_and_mends_what_the_review_found(team: Team) -> None:
    agent = team.agent(
        turn(text("First."), edit("a.txt", "painted\n"), usage(cost=0.25), usage=(100, 20), to="Chunk 1"),
        turn(edit("b.txt", "red\n"), usage=(50, 5), to="Chunk 2"),
        turn(edit("b.txt", "blue\n"), usage(cost=0.75), usage=(30, 3), to="it must be blue"),
    )
    review = {"command": "grep -q blue b.txt || { echo it must be blue; exit 1; }"}
    worker = driven(team.worker({"acceptance": ["It is painted."]}, {"review": review}))
    assert (worker.status, worker.error) == (WorkerStatus.COMPLETED, "")
    assert attempts(worker) == [(1, 1, "passed", ""), (2, 1, "failed", "review_failed"), (2, 2, "passed", "")]
    assert (file_on_branch(worker, "a.txt"), file_on_branch(worker, "b.txt")) == ("painted", "blue")
    assert len(agent.starts()) == len(agent.calls("session/new")) == 1
    assert worker.session_id
    assert "It is painted." in agent.prompts()[0]
    assert (worker.tokens_in, worker.tokens_out, worker.cost) == (180, 28, Decimal("0.75"))
    first = Attempt.objects.select_related("chunk").order_by("pk")[0]
    assert (first.profile, first.tokens_in, first.cost) == ("painter", 100, Decimal("0.25"))
    assert first.transcript_bytes == first.transcript_path.stat().st_size > 0
    assert leftovers(worker) == []


def test_a_reviewing_agent_sends_the_work_back_once(team: Team) -> None:
    team.agent(
        turn(edit("a.txt", "red\n")),
        turn(edit("a.txt", "blue\n"), to="make it blue"),
    )
    critic = team.agent(
        turn(text('{"verdict": "fail", "findings": ["make it blue"]}')),
        turn(text('{"verdict": "pass"}')),
        name="critic",
    )
    worker = driven(team.worker({"review": {"agent": {"profile": "critic", "instructions": "Mind the colour."}}}))
    assert (worker.status, worker.error) == (WorkerStatus.COMPLETED, "")
    assert [attempt[2:] for attempt in attempts(worker)] == [("failed", "review_failed"), ("passed", "")]
    assert "Mind the colour." in critic.prompts()[0]
    assert "+red" in critic.prompts()[0]
    assert file_on_branch(worker, "a.txt") == "blue"


def test_a_permission_is_given_by_a_person(team: Team, background: Background) -> None:
    agent = team.agent(
        turn(ask("Write c.txt", (ONCE, REJECT), path="c.txt", text="c\n", once=[edit("c.txt", "c\n")]), text("Done."))
    )
    worker = team.worker()
    done = background(worker)
    asked = question(worker)
    assert now(worker).attention.startswith("Edit /")  # the file itself, not what the agent calls it
    assert now(worker).attention.endswith("/c.txt")
    assert asked.detail["diffs"][0]["path"].endswith("c.txt")
    asked.respond("once", "", "mira")
    assert file_on_branch(completed(worker, done), "c.txt") == "c"
    asked.refresh_from_db()
    assert asked.delivered_at is not None
    assert agent.replies()[0]["outcome"]["optionId"] == "once"


def test_words_of_a_person_let_an_agent_go_on(team: Team, background: Background) -> None:
    agent = team.agent(turn(text("BLOCKED: Which colour?")), turn(edit("a.txt", "blue\n"), to="Blue, please"))
    worker = team.worker()
    done = background(worker)
    asked = question(worker)
    assert (asked.kind, now(worker).attention) == ("blocked", "Which colour?")
    asked.respond("", "Blue, please.", "mira")
    completed(worker, done)
    assert len(agent.prompts()) == 2


def test_an_urgent_message_changes_what_an_agent_does(team: Team, background: Background) -> None:
    agent = team.agent(turn(hang()), turn(edit("a.txt", "tabs\n"), to="Use tabs"))
    worker = team.worker()
    done = background(worker)
    working(agent, 1)
    message = Message.send(worker, "Use tabs.", "mira", now=True)
    completed(worker, done)
    message.refresh_from_db()
    assert message.said_at is not None


def test_a_stuck_chunk_is_tried_again_with_a_note(team: Team, background: Background) -> None:
    agent = team.agent(turn(text("No."), end("refusal")), turn(edit("a.txt", "done\n"), to="It is only paint"))
    worker = team.worker({}, max_attempts=1)
    done = background(worker)
    question(worker).respond("retry", "It is only paint.", "mira")
    worker = completed(worker, done)
    assert attempts(worker) == [(1, 1, "failed", "agent_refused"), (1, 2, "passed", "")]
    assert len(agent.starts()) == 1


def test_a_stuck_chunk_is_skipped(team: Team, background: Background) -> None:
    team.agent(turn(edit("rests.txt", "x"), end("refusal")), turn(edit("b.txt", "b\n"), to="Chunk 2"))
    worker = team.worker({}, {})
    done = background(worker)
    question(worker).respond("skip", "", "mira")
    worker = completed(worker, done)
    assert outcomes(worker) == ["skipped", "passed"]
    assert git(team.source, "ls-tree", "--name-only", worker.branch).split() == ["a.txt", "b.txt"]


def test_an_attempt_that_changes_nothing_and_fails_its_review_waits_for_a_person(
    team: Team, background: Background
) -> None:
    team.agent(turn(text("It is fine as it is.")))
    worker = team.worker({"review": {"command": "false"}})
    done = background(worker)
    assert "changed nothing" in question(worker).text
    now(worker).request_stop("mira")
    done.result(10)
    assert now(worker).status == WorkerStatus.STOPPED
    assert leftovers(worker) == []


def test_an_agent_that_is_not_installed_is_something_for_a_person(team: Team, background: Background) -> None:
    make.profile(name="painter", command="no-such-agent")
    worker = team.worker({}, max_attempts=1)
    done = background(worker)
    assert "no-such-agent" in question(worker).text
    now(worker).request_stop("mira")
    done.result(10)
    assert attempts(worker) == [(1, 1, "failed", "agent_missing")]


def kill_runner(worker: Worker) -> None:
    fresh = now(worker)
    os.kill(int(launch.ping()["runs"][f"{worker.folder}-{fresh.incarnation}"]["pid"]), signal.SIGKILL)


def test_the_session_is_taken_up_where_a_killed_runner_left_it(team: Team, background: Background) -> None:
    agent = team.agent(turn(edit("half.txt", "half\n"), hang()), turn(edit("rest.txt", "rest\n")))
    worker = team.worker()
    done = background(worker)
    workspace = until(lambda: now(worker).workspace, what="a workspace")
    until((Path(workspace) / "half.txt").exists, what="half of it is done")
    until(lambda: now(worker).session_id, what="the session is known")
    kill_runner(worker)
    worker = completed(worker, done)
    assert attempts(worker) == [(1, 1, "lost", "runner_lost"), (1, 2, "passed", "")]
    assert agent.calls("session/load")[0]["sessionId"] == worker.session_id
    assert len(agent.calls("session/new")) == 1
    assert (file_on_branch(worker, "half.txt"), file_on_branch(worker, "rest.txt")) == ("half", "rest")


def test_what_was_done_before_a_shutdown_counts_as_done(
    team: Team, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.agent(turn(edit("all.txt", "all\n"), hang()), turn(text("It is all there already.")))
    worker = team.worker({"review": {"command": "exit 1"}}, max_attempts=1)
    done = background(worker)
    workspace = until(lambda: now(worker).workspace, what="a workspace")
    until((Path(workspace) / "all.txt").exists, what="it is done")
    driving.owned.draining.set()
    done.result(20)
    monkeypatch.setattr(driving, "owned", driving.Owned())
    background(now(worker), driving.adopt).result(20)  # nobody is asked about an attempt that changed nothing
    assert attempts(worker) == [(1, 1, "interrupted", "interrupted"), (1, 2, "failed", "review_failed")]
    assert now(worker).status == WorkerStatus.FAILED
    assert not Question.objects.exists()


def continued(worker: Worker) -> Worker:
    """Another worker that goes on with it, as a retry or a requeue begins one."""
    worker = now(worker)
    assert worker.spec is not None
    return accept(worker.spec, slot=make.free_slot(), node=worker.node, by="mira", continues=worker)


def gives_up(team: Team, background: Background, *turns: Step, **agent: Any) -> tuple[Scripted, Worker]:
    """A worker whose agent does the first chunk, leaves something and is stopped in the middle of the second."""
    first = turn(edit("one.txt", "one\n"), usage(cost=1.0), to="chunk 1 of 2")
    second = turn(edit("half.txt", "half\n"), hang(), to="chunk 2 of 2")
    found = team.agent(first, second, *turns, **agent)
    worker = team.worker({}, {})
    done = background(worker)
    workspace = until(lambda: now(worker).workspace, what="a workspace")
    until((Path(workspace) / "half.txt").exists, what="half of it is done")
    now(worker).request_stop("mira")
    done.result(20)
    return found, now(worker)


def test_who_continues_a_worker_goes_on_in_its_session(team: Team, background: Background) -> None:
    last = turn(edit("two.txt", "two\n"), usage(cost=1.5), to="what was changed since is undone")
    agent, first = gives_up(team, background, last)
    second = driven(continued(first))
    assert (second.status, second.session_id) == (WorkerStatus.COMPLETED, first.session_id), second.error
    assert [call["sessionId"] for call in agent.calls("session/load")] == [first.session_id]
    assert len(agent.calls("session/new")) == 1
    assert not agent_data(first.folder).exists()
    assert agent_data(second.folder).is_dir()
    with pytest.raises(CalledProcessError):
        file_on_branch(second, "half.txt")
    assert file_on_branch(second, "two.txt") == "two"
    assert (first.cost, second.cost) == (Decimal("1.0"), Decimal("0.5"))  # it tells what the session has cost


def test_the_session_is_found_behind_workers_that_never_began(team: Team, background: Background) -> None:
    agent, first = gives_up(team, background, turn(edit("two.txt", "two\n"), to="what was changed since is undone"))
    never = first
    for _ in range(2):
        never = continued(never)
        never.request_stop("mira")
        assert now(driven(never)).status == WorkerStatus.STOPPED
        assert not agent_data(never.folder).exists()
    last = driven(continued(never))
    assert (last.status, last.session_id) == (WorkerStatus.COMPLETED, first.session_id), last.error
    assert [call["sessionId"] for call in agent.calls("session/load")] == [first.session_id]
    assert len(agent.calls("session/new")) == 1
    assert not agent_data(first.folder).exists()
    assert agent_data(last.folder).is_dir()


def test_an_older_session_is_not_taken_for_the_one_of_who_is_continued(team: Team, background: Background) -> None:
    agent, first = gives_up(team, background, turn(edit("two.txt", "two\n")))
    never = continued(first)
    never.request_stop("mira")
    driven(never)
    Worker.objects.filter(pk=never.pk).update(session_id="another")
    last = driven(continued(never))
    assert last.status == WorkerStatus.COMPLETED, last.error
    assert agent_data(first.folder).is_dir()
    assert len(agent.calls("session/new")) == 2


def test_who_continues_a_worker_whose_session_is_gone_is_told_everything(team: Team, background: Background) -> None:
    agent, first = gives_up(team, background, turn(edit("two.txt", "two\n"), to="Already done in this workspace"))
    shutil.rmtree(agent_data(first.folder))
    second = driven(continued(first))
    assert second.status == WorkerStatus.COMPLETED, second.error
    assert len(agent.calls("session/new")) == 2
    assert "is undone" not in agent.prompts()[-1]


@pytest.mark.parametrize("between", [0, 1])
def test_nobody_takes_the_session_of_a_worker_whose_runner_lives(
    team: Team, background: Background, between: int
) -> None:
    agent, first = gives_up(team, background, turn(edit("two.txt", "two\n"), to="Already done in this workspace"))
    run = launch.Run(first.folder, first.incarnation + 1)
    launch.start(run).close()
    last = first
    for _ in range(between):
        last = continued(last)
        last.request_stop("mira")
        driven(last)
    second = driven(continued(last))
    launch.destroy(run, first.epoch)
    assert second.status == WorkerStatus.COMPLETED, second.error
    assert agent_data(first.folder).is_dir()
    assert len(agent.calls("session/new")) == 2


def test_a_shutdown_in_the_middle_of_a_turn_goes_on_at_the_next_start(
    team: Team, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = team.agent(turn(edit("half.txt", "half\n"), hang()), turn(edit("rest.txt", "rest\n")))
    worker = team.worker({}, max_attempts=1)
    done = background(worker)
    workspace = until(lambda: now(worker).workspace, what="a workspace")
    until((Path(workspace) / "half.txt").exists, what="half of it is done")
    driving.owned.draining.set()
    done.result(20)
    monkeypatch.setattr(driving, "owned", driving.Owned())
    worker = completed(worker, background(now(worker), driving.adopt))
    assert attempts(worker) == [(1, 1, "interrupted", "interrupted"), (1, 2, "passed", "")]
    assert agent.calls("session/load")
    assert file_on_branch(worker, "half.txt") == "half"


def test_another_owner_answers_for_a_person_what_was_asked_before(
    team: Team, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = team.agent(turn(ask("Write c.txt", (ONCE, REJECT), once=[edit("c.txt", "c\n")]), text("Done.")))
    worker = team.worker()
    done = background(worker)
    asked = question(worker)
    driving.owned.superseded.set()
    done.result(10)
    monkeypatch.setattr(driving, "owned", driving.Owned())
    asked.respond("once", "", "mira")
    worker = completed(worker, background(now(worker), driving.adopt))
    assert attempts(worker) == [(1, 1, "passed", "")]
    assert len(agent.prompts()) == 1
    assert file_on_branch(worker, "c.txt") == "c"


def test_pause_in_the_middle_of_a_turn_and_resume(team: Team, background: Background, tmp_path: Path) -> None:
    agent = team.agent(turn(hang()), turn(await_file(f"{tmp_path}/gate"), edit("a.txt", "done\n")))
    worker = team.worker()
    done = background(worker)
    working(agent, 1)
    now(worker).request_pause("mira")
    until(lambda: now(worker).status == WorkerStatus.PAUSED, what="paused")
    now(worker).request_resume("mira")
    until(lambda: now(worker).status == WorkerStatus.RUNNING, what="resumed")
    working(agent, 2)
    (tmp_path / "gate").touch()
    worker = completed(worker, done)
    assert attempts(worker) == [(1, 1, "passed", "")]
    assert len(agent.starts()) == 1


def test_what_a_paused_agent_has_asked_is_asked_again_when_it_goes_on(team: Team, background: Background) -> None:
    """Pausing cancels its turn, and with that what it asks."""
    agent = team.agent(turn(ask("Write c.txt", (ONCE, REJECT), once=[edit("c.txt", "c\n")]), text("Done."), times=0))
    worker = team.worker()
    done = background(worker)
    first = question(worker)
    now(worker).request_pause("mira")
    until(lambda: now(worker).status == WorkerStatus.PAUSED, what="paused")
    first.refresh_from_db()
    assert (first.closed, now(worker).attention) == ("gone", "")
    with pytest.raises(StaleTransition):
        first.respond("once", "", "mira")
    now(worker).request_resume("mira")
    question(worker).respond("once", "", "mira")
    worker = completed(worker, done)
    assert file_on_branch(worker, "c.txt") == "c"
    assert len(agent.starts()) == 1


def test_a_stop_in_the_middle_of_a_turn_leaves_nothing(team: Team, background: Background) -> None:
    agent = team.agent(turn(hang(), deaf=True), ignores=("term", "end of stdin"))
    worker = team.worker()
    done = background(worker)
    working(agent, 1)
    now(worker).request_stop("mira")
    done.result(20)
    worker = now(worker)
    assert (worker.status, attempts(worker)) == (WorkerStatus.STOPPED, [(1, 1, "interrupted", "interrupted")])
    assert leftovers(worker) == []
