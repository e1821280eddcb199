"""People and agents: questions that reach people, answers and messages that reach agents, whoever drives meanwhile."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.support import make
from tests.support.driving import Background, now, running_attempt
from tests.support.puppets import Puppet, Puppets
from tests.support.wait import until
from workers import driving
from workers.errors import StaleTransition
from workers.models import Attempt, Event, Message, Question, Worker
from workers.states import QuestionKind, WorkerStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]

KEY = "1.1:execute#1"
OPTIONS = [make.ALLOW, make.DENY]


class AtWork:
    """A worker whose agent is in the middle of its first chunk."""

    def __init__(self, puppets: Puppets, background: Background, directory: Path) -> None:
        project = make.project(directory, default_profile=make.profile().name)
        self.worker = make.worker(make.for_agent(), project=project)
        self.puppets = puppets
        self.done = background(self.worker)
        self.puppet: Puppet = puppets.runner(self.worker)
        self.puppet.asked_for("execute")

    def ask(self, **fields: Any) -> Question:
        """Have the agent ask; the question, once it is open."""
        asked = {"question": KEY, "what": "permission", "title": "Run npm test", "text": "execute", "options": OPTIONS}
        self.puppet.tell("asked", **{**asked, "command": "npm test", "diffs": [], **fields})
        return until(lambda: Question.objects.filter(closed="", answered_at=None).first(), what="a person is asked")

    def answered(self, by: str, option: str = "once", text: str = "", question: str = KEY) -> None:
        self.puppet.tell("answered", question=question, option=option, text=text, by=by)

    def complete(self) -> Worker:
        self.puppet.finish()
        self.done.result(10)
        worker = now(self.worker)
        assert worker.status == WorkerStatus.COMPLETED
        return worker


@pytest.fixture
def at_work(puppets: Puppets, background: Background, tmp_path: Path) -> AtWork:
    return AtWork(puppets, background, tmp_path)


def abandon(at_work: AtWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the owner go and the runner live."""
    driving.owned.superseded.set()
    at_work.done.result(10)
    monkeypatch.setattr(driving, "owned", driving.Owned())


def delivered(question: Question) -> bool:
    return Question.objects.filter(pk=question.pk, delivered_at__isnull=False).exists()


# Questions and answers


def test_a_permission_is_asked_answered_and_delivered(at_work: AtWork) -> None:
    question = at_work.ask(diffs=[{"path": "a.py", "old": "", "new": "x"}])
    assert (question.kind, question.title, question.text) == (QuestionKind.PERMISSION, "Run npm test", "execute")
    assert question.detail == {"command": "npm test", "diffs": [{"path": "a.py", "old": "", "new": "x"}]}
    assert question.options == OPTIONS
    assert question.attempt == running_attempt(at_work.worker)
    assert now(at_work.worker).attention == "Run npm test"
    question.respond("once", "just this time", "mira")
    [told] = at_work.puppet.was_told("answer")
    assert (told["question"], told["option"], told["text"]) == (KEY, "once", "just this time")
    assert not delivered(question)
    at_work.answered("person")
    until(lambda: delivered(question), what="it is delivered")
    assert at_work.complete().attention == ""
    told_of = [event.data["open"] for event in Event.objects.filter(kind="worker_attention")]
    assert (told_of[0], told_of[-1]) == (1, 0)


def test_an_agent_that_is_blocked_gets_words(at_work: AtWork) -> None:
    question = at_work.ask(what="blocked", title="", text="Which colour?", options=[])
    assert now(at_work.worker).attention == "Which colour?"
    question.respond("", "Blue.", "mira")
    [told] = at_work.puppet.was_told("answer")
    assert (told["option"], told["text"]) == ("", "Blue.")
    at_work.answered("person", option="", text="Blue.")
    at_work.complete()
    assert Question.objects.get().answer == "Blue."


def test_an_answer_is_said_once_to_a_runner(at_work: AtWork) -> None:
    question = at_work.ask()
    question.respond("once", "", "mira")
    at_work.puppet.was_told("answer")
    Message.send(at_work.worker, "And be quick.", "mira")  # so that its owner looks again
    at_work.puppet.was_told("tell")
    assert len(at_work.puppet.was_told("answer")) == 1
    at_work.complete()


def test_what_its_policy_decides_waits_for_nobody(at_work: AtWork) -> None:
    question = at_work.ask()
    at_work.answered("policy", option="no")
    until(lambda: delivered(question), what="it is decided")
    assert now(at_work.worker).attention == ""
    question.refresh_from_db()
    assert (question.answered_by, question.option) == ("policy", "no")
    with pytest.raises(StaleTransition):
        question.respond("once", "", "mira")
    at_work.complete()


def test_a_question_that_nobody_answered_in_time_is_gone(at_work: AtWork) -> None:
    question = at_work.ask()
    at_work.answered("gone", option="")
    until(lambda: now(at_work.worker).attention == "", what="it is gone")
    with pytest.raises(StaleTransition, match="Nobody waits"):
        question.respond("once", "", "mira")
    at_work.complete()


def test_an_answer_that_came_too_late_is_not_delivered(at_work: AtWork) -> None:
    question = at_work.ask()
    question.respond("once", "", "mira")
    at_work.answered("gone", option="")
    until(lambda: Question.objects.get().closed, what="it is gone")
    assert not delivered(question)
    at_work.complete()


def test_an_answer_to_what_nobody_has_asked_changes_nothing(at_work: AtWork) -> None:
    at_work.answered("policy", question="1.1:execute#9")
    at_work.complete()
    assert not Question.objects.exists()


def test_a_paused_worker_can_be_answered(at_work: AtWork) -> None:
    question = at_work.ask()
    now(at_work.worker).request_pause("mira")
    until(lambda: now(at_work.worker).status == WorkerStatus.PAUSED, what="paused")
    question.respond("once", "", "mira")
    at_work.puppet.was_told("answer")
    at_work.answered("person")
    until(lambda: delivered(question), what="it is delivered")
    assert now(at_work.worker).status == WorkerStatus.PAUSED
    now(at_work.worker).request_resume("mira")
    until(lambda: now(at_work.worker).status == WorkerStatus.RUNNING, what="resumed")
    at_work.complete()


def test_a_stopped_worker_leaves_no_question_open(at_work: AtWork) -> None:
    at_work.ask()
    now(at_work.worker).request_stop("mira")
    at_work.done.result(10)
    assert Question.objects.get().closed == "gone"
    assert (now(at_work.worker).status, now(at_work.worker).attention) == (WorkerStatus.STOPPED, "")


# Owners that change, runners that die


def test_what_was_asked_and_answered_without_an_owner_is_taken_in_and_delivered(
    at_work: AtWork, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = at_work.ask()
    abandon(at_work, monkeypatch)
    question.respond("no", "", "mira")
    at_work.puppet.tell("asked", question="1.1:execute#2", what="blocked", title="", text="What else?")
    at_work.done = background(now(at_work.worker), driving.adopt)
    [told] = at_work.puppet.was_told("answer")
    assert (told["question"], told["option"]) == (KEY, "no")
    until(lambda: now(at_work.worker).attention == "What else?", what="the next question is seen")
    at_work.answered("person", option="no")
    until(lambda: delivered(question), what="it is delivered")
    at_work.complete()
    assert dict(Question.objects.values_list("key", "closed")) == {KEY: "", "1.1:execute#2": "gone"}


def test_an_answer_that_its_runner_got_before_is_not_said_again_by_the_next_owner(
    at_work: AtWork, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = at_work.ask()
    question.respond("once", "", "mira")
    at_work.puppet.was_told("answer")
    abandon(at_work, monkeypatch)
    at_work.answered("person")
    at_work.done = background(now(at_work.worker), driving.adopt)
    until(lambda: delivered(question), what="the journal was read")
    at_work.complete()
    assert len(at_work.puppet.was_told("answer")) == 1


def test_what_a_lost_attempt_has_asked_is_gone(at_work: AtWork) -> None:
    question = at_work.ask()
    at_work.puppet.die()
    second = at_work.puppets.runner(at_work.worker, 2)
    second.asked_for("execute")
    assert Question.objects.get().closed == "gone"
    assert now(at_work.worker).attention == ""
    with pytest.raises(StaleTransition):
        question.respond("once", "", "mira")
    at_work.puppet = second
    at_work.ask(question="1.2:execute#1")
    assert now(at_work.worker).attention == "Run npm test"
    at_work.complete()
    assert not [message for message in second.heard if message["op"] == "answer"]


# Messages


def test_a_message_reaches_the_agent(at_work: AtWork) -> None:
    message = Message.send(at_work.worker, "Use tabs.", "mira")
    [told] = at_work.puppet.was_told("tell")
    assert (told["message"], told["text"], told["now"]) == (message.pk, "Use tabs.", False)
    at_work.puppet.tell("told", message=message.pk)
    until(lambda: Message.objects.get().said_at, what="it was said")
    at_work.complete()


def test_a_message_can_be_urgent(at_work: AtWork) -> None:
    Message.send(at_work.worker, "Stop that.", "mira", now=True)
    assert at_work.puppet.was_told("tell")[0]["now"] is True
    at_work.complete()


def test_what_a_dead_runner_had_not_said_is_told_to_the_next(at_work: AtWork) -> None:
    said = Message.send(at_work.worker, "One.", "mira")
    at_work.puppet.was_told("tell")
    at_work.puppet.tell("told", message=said.pk)
    until(lambda: Message.objects.get().said_at, what="it was said")
    Message.send(at_work.worker, "Two.", "mira")
    until(lambda: len(at_work.puppet.was_told("tell")) == 2, what="both were told")
    at_work.puppet.die()
    at_work.puppet = at_work.puppets.runner(at_work.worker, 2)
    at_work.puppet.asked_for("execute")
    assert [told["text"] for told in at_work.puppet.was_told("tell")] == ["Two."]
    at_work.complete()


def test_a_message_without_an_owner_waits_for_the_next(
    at_work: AtWork, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    abandon(at_work, monkeypatch)
    Message.send(at_work.worker, "Anybody?", "mira")
    at_work.done = background(now(at_work.worker), driving.adopt)
    assert at_work.puppet.was_told("tell")[0]["text"] == "Anybody?"
    at_work.complete()


def test_a_command_is_told_nothing(puppets: Puppets, background: Background, tmp_path: Path) -> None:
    """Not even what was left to be said to the agent before it."""
    project = make.project(tmp_path, default_profile=make.profile().name)
    worker = make.worker(make.for_agent(), "true", project=project)
    done: Future[None] = background(worker)
    puppet = puppets.runner(worker)
    puppet.asked_for("execute")
    puppet.finish()
    puppet.asked_for("execute")
    Message.objects.create(worker=worker, text="Too late.", by="mira")
    now(worker).request_pause("mira")  # so that its owner looks
    until(lambda: now(worker).status == WorkerStatus.PAUSED, what="paused")
    puppet.finish()
    done.result(10)
    assert not [message for message in puppet.heard if message["op"] == "tell"]
    assert Attempt.objects.count() == 2
