"""A chunk whose next attempt could not help waits for a person, who has it tried again or left out."""

from pathlib import Path
from typing import Any

import pytest

from specs.agents import AgentProfile
from tests.support import make
from tests.support.driving import Background, attempts, now, outcomes
from tests.support.puppets import Puppet, Puppets
from tests.support.wait import until
from workers import driving
from workers.models import Question, Worker
from workers.states import Reason, WorkerStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


class Yard:
    """One worker of an agent, driven."""

    def __init__(self, puppets: Puppets, background: Background, directory: Path) -> None:
        self.puppets = puppets
        self.background = background
        self.project = make.project(directory, default_profile=make.profile(name="painter").name)

    def begin(self, *chunks: dict[str, Any], **fields: Any) -> Puppet:
        made = [make.for_agent(**chunk) for chunk in chunks or ({},)]
        self.worker: Worker = make.worker(*made, project=self.project, **fields)
        self.done = self.background(self.worker)
        return self.puppets.runner(self.worker)

    def question(self, number: int = 1) -> Question:
        """What a person is asked, once it is so many questions."""

        def asked() -> Question | None:
            found = list(Question.objects.filter(worker=self.worker, kind="stuck").order_by("pk"))
            return found[-1] if len(found) == number else None

        return until(asked, what=f"a person is asked {number} times")

    def end(self) -> Worker:
        self.done.result(10)
        return now(self.worker)

    def change_owner(self, monkeypatch: pytest.MonkeyPatch, *, meanwhile: Any = lambda: None) -> None:
        driving.owned.superseded.set()
        self.done.result(10)
        monkeypatch.setattr(driving, "owned", driving.Owned())
        meanwhile()
        self.done = self.background(now(self.worker), driving.adopt)


@pytest.fixture
def yard(puppets: Puppets, background: Background, tmp_path: Path) -> Yard:
    return Yard(puppets, background, tmp_path)


def fail(puppet: Puppet, findings: str = "The wall is red.", reason: str = "agent_exited", **result: Any) -> None:
    puppet.asked_for("execute")
    puppet.fail(reason, findings=findings, **result)


def stuck(yard: Yard, puppet: Puppet) -> Question:
    """The question that a chunk leaves whose agent refuses it."""
    fail(puppet, reason="agent_refused")
    return yard.question()


# When it is stuck


def test_the_same_failure_twice_asks_a_person(yard: Yard) -> None:
    puppet = yard.begin(max_attempts=5)
    fail(puppet)
    fail(puppet)
    question = yard.question()
    assert question.title == "Stuck: Chunk 1"
    assert question.text == "Two attempts in a row have failed in the same way: It failed: agent_exited."
    assert [option["id"] for option in question.options] == ["retry", "skip"]
    assert question.attempt.number == 2
    worker = now(yard.worker)
    assert (worker.status, worker.attention, worker.slot) == (WorkerStatus.RUNNING, question.text, yard.worker.slot)
    assert outcomes(worker) == ["pending"]
    question.respond("retry", "", "mira")
    puppet.asked_for("execute")
    puppet.finish()
    assert yard.end().status == WorkerStatus.COMPLETED


def test_failures_that_differ_are_tried_as_often_as_allowed_and_no_more(yard: Yard) -> None:
    puppet = yard.begin(max_attempts=3)
    for findings in ("red", "green", "yellow"):
        fail(puppet, findings)
    worker = yard.end()
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.CHUNK_FAILED)
    assert not Question.objects.exists()


def test_the_same_failure_with_another_between_is_not_stuck(yard: Yard) -> None:
    puppet = yard.begin(max_attempts=3)
    for findings in ("red", "green", "red"):
        fail(puppet, findings)
    assert yard.end().status == WorkerStatus.FAILED


def test_a_lost_attempt_between_two_failures_does_not_hide_that_they_are_the_same(yard: Yard) -> None:
    puppet = yard.begin()
    fail(puppet)
    puppet.asked_for("execute")
    puppet.die()
    fail(yard.puppets.runner(yard.worker, 2))
    yard.question().respond("skip", "", "mira")
    assert yard.end().skipped == 1
    assert [attempt[2] for attempt in attempts(yard.worker)] == ["failed", "lost", "failed"]


def test_an_attempt_that_changed_nothing_and_does_not_pass_its_review_asks_a_person(yard: Yard) -> None:
    puppet = yard.begin({"review": {"command": "make test"}})
    puppet.asked_for("execute")
    puppet.finish(facts={"changed": False})
    puppet.asked_for("review")
    puppet.fail()
    assert "changed nothing" in yard.question().text
    yard.question().respond("skip", "", "mira")
    yard.end()


@pytest.mark.parametrize("changed", [True, None])
def test_an_attempt_that_changed_something_is_followed_by_another(yard: Yard, changed: bool | None) -> None:
    puppet = yard.begin({"review": {"command": "make test"}})
    puppet.asked_for("execute")
    puppet.finish(facts={"changed": changed})
    puppet.asked_for("review")
    puppet.fail()
    puppet.asked_for("execute")
    puppet.finish()
    puppet.asked_for("review")
    puppet.finish()
    assert yard.end().status == WorkerStatus.COMPLETED


def test_an_agent_that_broke_off_before_it_changed_anything_is_tried_again(yard: Yard) -> None:
    puppet = yard.begin()
    fail(puppet, facts={"changed": False})
    puppet.asked_for("execute")
    puppet.finish()
    assert yard.end().status == WorkerStatus.COMPLETED


def test_a_profile_that_is_missing_is_something_for_a_person(yard: Yard) -> None:
    AgentProfile.objects.filter(name="painter").delete()
    puppet = yard.begin(max_attempts=1)
    assert 'There is no agent profile "painter"' in yard.question().text
    assert attempts(yard.worker) == [(1, 1, "failed", "profile_missing")]
    make.profile(name="painter")
    yard.question().respond("retry", "", "mira")
    assert puppet.asked_for("execute")["profile"]["name"] == "painter"
    puppet.finish()
    assert yard.end().status == WorkerStatus.COMPLETED


def test_the_profile_of_a_review_that_is_missing_is_too(yard: Yard) -> None:
    puppet = yard.begin({"review": {"agent": {"profile": "critic"}}})
    puppet.asked_for("execute")
    puppet.finish()
    assert '"critic"' in yard.question().text
    yard.question().respond("skip", "", "mira")
    yard.end()


def test_a_command_is_never_stuck(yard: Yard) -> None:
    puppet = yard.begin({"executor": "command", "params": {"run": "false"}}, max_attempts=3)
    for _ in range(3):
        fail(puppet, reason="command_failed")
    assert yard.end().status == WorkerStatus.FAILED
    assert not Question.objects.exists()


# What a person may want


def test_a_retry_takes_what_the_person_says_to_the_agent(yard: Yard) -> None:
    puppet = yard.begin()
    stuck(yard, puppet).respond("retry", "Use the other brush.", "mira")
    execute = puppet.asked_for("execute")
    assert execute["task"]["note"] == "Use the other brush."
    assert execute["findings"] == "The wall is red."
    puppet.finish()
    worker = yard.end()
    assert (worker.status, worker.attention) == (WorkerStatus.COMPLETED, "")
    question = Question.objects.get()
    assert (question.option, question.answered_by) == ("retry", "mira")
    assert question.delivered_at is not None


def test_a_retry_is_one_attempt_more_than_the_spec_allows(yard: Yard) -> None:
    puppet = yard.begin(max_attempts=1)
    stuck(yard, puppet).respond("retry", "", "mira")
    fail(puppet, "something else")
    worker = yard.end()
    assert worker.status == WorkerStatus.FAILED
    assert [attempt[1] for attempt in attempts(worker)] == [1, 2]


def test_a_retry_that_fails_in_the_same_way_is_stuck_again(yard: Yard) -> None:
    puppet = yard.begin(max_attempts=1)
    stuck(yard, puppet).respond("retry", "First hint.", "mira")
    assert puppet.asked_for("execute")["task"]["note"] == "First hint."
    puppet.fail("agent_refused", findings="The wall is red.")
    yard.question(2).respond("retry", "Second hint.", "mira")
    assert puppet.asked_for("execute")["task"]["note"] == "Second hint."
    puppet.finish()
    assert yard.end().status == WorkerStatus.COMPLETED


def test_a_chunk_that_is_skipped_takes_along_what_needs_it(yard: Yard) -> None:
    puppet = yard.begin({"key": "walls"}, {"depends_on": ["walls"]}, {})
    stuck(yard, puppet).respond("skip", "", "mira")
    puppet.asked_for("execute")
    puppet.finish()
    worker = yard.end()
    assert outcomes(worker) == ["skipped", "skipped", "passed"]
    assert (worker.status, worker.skipped, worker.attention) == (WorkerStatus.COMPLETED, 2, "")


def test_the_note_of_one_chunk_is_not_told_to_another(yard: Yard) -> None:
    puppet = yard.begin({}, {})
    stuck(yard, puppet).respond("retry", "Use the other brush.", "mira")
    puppet.asked_for("execute")
    puppet.finish()
    assert puppet.asked_for("execute")["task"]["note"] == ""
    puppet.finish()
    yard.end()


# While it waits


def test_a_stuck_worker_can_be_stopped(yard: Yard) -> None:
    puppet = yard.begin()
    stuck(yard, puppet)
    now(yard.worker).request_stop("mira")
    worker = yard.end()
    assert (worker.status, worker.attention) == (WorkerStatus.STOPPED, "")
    assert Question.objects.get().closed == "gone"


def test_a_stuck_worker_can_be_paused_and_answered_meanwhile(yard: Yard) -> None:
    puppet = yard.begin()
    question = stuck(yard, puppet)
    now(yard.worker).request_pause("mira")
    until(lambda: now(yard.worker).status == WorkerStatus.PAUSED, what="paused")
    question.respond("retry", "", "mira")
    puppet.asked_for("execute")  # the runner carries it out when it is resumed
    now(yard.worker).request_resume("mira")
    until(lambda: now(yard.worker).status == WorkerStatus.RUNNING, what="resumed")
    puppet.finish()
    assert yard.end().status == WorkerStatus.COMPLETED


@pytest.mark.parametrize("option", ["retry", "skip"])
def test_what_a_person_decides_while_nobody_drives_is_done_by_the_next_owner(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    puppet = yard.begin({}, {})
    question = stuck(yard, puppet)
    yard.change_owner(monkeypatch, meanwhile=lambda: question.respond(option, "", "mira"))
    execute = puppet.asked_for("execute")
    assert execute["request"] == ("1.2:execute" if option == "retry" else "2.1:execute")
    puppet.finish()
    if option == "retry":
        puppet.asked_for("execute")
        puppet.finish()
    assert yard.end().status == WorkerStatus.COMPLETED


def test_a_stuck_worker_goes_on_waiting_under_the_next_owner(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    puppet = yard.begin()
    question = stuck(yard, puppet)
    yard.change_owner(monkeypatch)
    until(lambda: len(puppet.was_told("attach")) == 2, what="the next owner has come")
    assert now(yard.worker).attention == question.text
    question.respond("retry", "", "mira")
    puppet.asked_for("execute")
    puppet.finish()
    assert yard.end().status == WorkerStatus.COMPLETED
    assert Question.objects.count() == 1


def test_a_runner_that_dies_while_a_person_thinks_is_replaced_and_charges_nothing(yard: Yard) -> None:
    puppet = yard.begin()
    question = stuck(yard, puppet)
    puppet.die()
    second = yard.puppets.runner(yard.worker, 2)
    assert now(yard.worker).status == WorkerStatus.RUNNING
    question.respond("retry", "", "mira")
    second.asked_for("execute")
    second.finish()
    worker = yard.end()
    assert (worker.status, worker.rescues) == (WorkerStatus.COMPLETED, 0)


def test_a_shutdown_lets_a_stuck_worker_wait_for_the_next_start(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    puppet = yard.begin()
    question = stuck(yard, puppet)
    driving.owned.draining.set()
    yard.done.result(10)
    assert Question.objects.get().is_open
    monkeypatch.setattr(driving, "owned", driving.Owned())
    yard.done = yard.background(now(yard.worker), driving.adopt)
    second = yard.puppets.runner(yard.worker, 2)
    question.respond("retry", "", "mira")
    second.asked_for("execute")
    second.finish()
    assert yard.end().status == WorkerStatus.COMPLETED


# The worktree, which is put back to the last commit where work may lie that did not pass


def restored(puppet: Puppet) -> list[tuple[str, str]]:
    """(request, commit) of all that the runner was asked to put back."""
    return [(message["request"], message["commit"]) for message in puppet.heard if message["op"] == "restore"]


@pytest.fixture
def git(yard: Yard) -> Yard:
    """As the yard, with a worktree of the worker's own."""
    yard.project.isolation = "worktree"
    yard.project.save()
    return yard


BASE = "0" * 40


def test_a_chunk_after_one_that_was_skipped_begins_without_its_rests(git: Yard) -> None:
    puppet = git.begin({}, {})
    stuck(git, puppet).respond("skip", "", "mira")
    puppet.asked_for("execute")
    puppet.finish()
    git.end()
    assert restored(puppet) == [("2.1:restore", BASE)]


def test_a_chunk_after_one_that_failed_begins_without_its_rests(git: Yard) -> None:
    command = {"executor": "command", "params": {"run": "false"}}
    puppet = git.begin(command, command, max_attempts=1, on_failure="continue")
    fail(puppet)
    puppet.asked_for("execute")
    puppet.finish()
    git.end()
    assert restored(puppet) == [("2.1:restore", BASE)]


def test_a_failed_attempt_leaves_no_rests_to_the_next(git: Yard) -> None:
    puppet = git.begin({}, {})
    puppet.asked_for("execute")
    puppet.finish()
    fail(puppet)
    puppet.asked_for("execute")
    puppet.finish()
    git.end()
    first = git.worker.chunks.get(ordinal=1).commit
    assert restored(puppet) == [("2.2:restore", first)]


def test_what_an_agent_is_in_the_middle_of_stays_when_its_runner_dies(git: Yard) -> None:
    puppet = git.begin()
    fail(puppet)
    puppet.asked_for("execute")
    puppet.tell("session", id="s1", profile="painter", resumed=False)
    until(lambda: now(git.worker).session_id, what="the session is known")
    puppet.die()
    second = git.puppets.runner(git.worker, 2)
    assert second.asked_for("execute")["session"] == "s1"
    second.finish()
    git.end()
    assert (restored(puppet), restored(second)) == ([("1.2:restore", BASE)], [])


@pytest.mark.parametrize("chunk", [{}, {"executor": "command", "params": {"run": "true"}}])
def test_what_a_lost_attempt_has_left_is_put_back_unless_an_agent_knows_of_it(git: Yard, chunk: dict[str, Any]) -> None:
    puppet = git.begin(chunk)
    puppet.asked_for("execute")
    puppet.die()
    second = git.puppets.runner(git.worker, 2)
    second.asked_for("execute")
    second.finish()
    worker = git.end()
    heard = [message.get("request", message["op"]) for message in second.heard]
    assert restored(second) == [("1.2:restore", BASE)], f"{heard}, {attempts(worker)}, {worker.branch!r}"
