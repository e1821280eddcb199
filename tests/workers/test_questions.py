"""What waits for a person: who may ask, who may answer, and that nothing waits unseen or for ever."""

import pytest
from django.db import IntegrityError, transaction

from tests.support import make
from workers import publisher
from workers.errors import Fenced, InvalidWords, StaleTransition
from workers.models import Attempt, Event, Question, Worker
from workers.states import AttemptStatus, ChunkOutcome, QuestionKind, Reason

pytestmark = pytest.mark.django_db(transaction=True)


def attention() -> list[int]:
    """How many questions were open, each time that this changed."""
    return [event.data["open"] for event in Event.objects.filter(kind="worker_attention")]


def test_a_question_is_what_its_worker_waits_for() -> None:
    worker = make.agents_worker()
    question = make.question(worker, title="Run npm test", text="execute")
    assert question.is_open
    assert worker.attention == Worker.objects.get().attention == "Run npm test"
    assert attention() == [1]


def test_the_oldest_open_question_is_told_first() -> None:
    worker = make.agents_worker()
    first, second = make.question(worker, title="first"), make.question(worker, title="", text="second")
    assert Worker.objects.get().attention == "first"
    first.respond("once", "", "mira")
    assert Worker.objects.get().attention == "second"
    second.respond("no", "", "mira")
    assert Worker.objects.get().attention == ""
    assert attention() == [1, 2, 1, 0]


def test_the_same_question_is_asked_once() -> None:
    worker = make.agents_worker()
    question = make.question(worker)
    again = Question.ask(worker, question.attempt, question.key, QuestionKind.PERMISSION, text="otherwise")
    assert again == question
    assert Question.objects.get().text == question.text


def test_a_long_title_is_cut() -> None:
    assert len(make.question(title="x" * 1000).title) == 300


def test_an_answer_is_kept_with_who_gave_it() -> None:
    make.question().respond("once", "but only this time", "mira")
    question = Question.objects.get()
    assert not question.is_open
    assert (question.option, question.answer, question.answered_by) == ("once", "but only this time", "mira")
    assert question.answered_at is not None
    assert question.delivered_at is None


def test_an_answer_raises_a_flag_that_differs_from_answer_to_answer(valkey: object) -> None:
    worker = make.agents_worker()
    flags = []
    for _ in range(2):
        make.question(worker).respond("once", "", "mira")
        flags.append(publisher.client().get(publisher.wish_key(worker.pk)))
    assert all(flags)
    assert flags[0] != flags[1]


def test_the_same_answer_again_changes_nothing() -> None:
    question = make.question()
    question.respond("once", "", "mira")
    answered = Question.objects.get().answered_at
    question.respond("once", "", "mira")
    assert Question.objects.get().answered_at == answered


@pytest.mark.parametrize(("option", "by"), [("no", "mira"), ("once", "ines")])
def test_what_was_answered_is_not_answered_otherwise(option: str, by: str) -> None:
    question = make.question()
    Question.objects.get(pk=question.pk).respond("once", "", "mira")
    with pytest.raises(StaleTransition, match="mira has answered"):
        question.respond(option, "", by)
    assert Question.objects.get().option == "once"


def test_a_question_that_is_gone_cannot_be_answered() -> None:
    worker = make.agents_worker()
    question = make.question(worker)
    Question.objects.get().gone(worker)
    with pytest.raises(StaleTransition, match="Nobody waits"):
        question.respond("once", "", "mira")
    assert attention() == [1, 0]
    assert Worker.objects.get().attention == ""


@pytest.mark.parametrize(
    ("kind", "option", "text", "complaint"),
    [
        ("permission", "always", "", "Choose one of: Allow once, Deny"),
        ("permission", "", "go on", "Choose one of: Allow once, Deny"),
        ("permission", "once", "x" * 20_001, "at most 20000"),
        ("blocked", "", " \n", "Say something"),
        ("blocked", "once", "words", "nothing to choose"),
        ("stuck", "give up", "", "Choose one of: Retry chunk, Skip chunk"),
    ],
)
def test_what_is_no_answer_is_refused(kind: str, option: str, text: str, complaint: str) -> None:
    question = make.question(kind=kind)
    with pytest.raises(InvalidWords, match=complaint):
        question.respond(option, text, "mira")
    assert Question.objects.get().is_open


def test_an_answer_that_reached_its_agent_is_delivered() -> None:
    worker = make.agents_worker()
    question = make.question(worker)
    question.respond("once", "", "mira")
    question.delivered(worker)
    assert Question.objects.get().delivered_at is not None


def test_what_the_policy_decides_waits_for_nobody() -> None:
    worker = make.agents_worker()
    make.question(worker).decided(worker, "once", "")
    question = Question.objects.get()
    assert (question.answered_by, question.option, question.is_open) == ("policy", "once", False)
    assert Worker.objects.get().attention == ""


def test_an_owner_that_was_overtaken_asks_and_records_nothing() -> None:
    old = make.agents_worker()
    question = make.question(old)
    attempt = question.attempt
    assert Worker.adopt(old.pk, old.epoch)
    before = Event.objects.count()
    for write in (
        lambda: Question.ask(old, attempt, "late", QuestionKind.BLOCKED, text="late"),
        lambda: question.delivered(old),
        lambda: question.decided(old, "once", ""),
        lambda: question.gone(old),
        lambda: old.waits("late"),
        lambda: attempt.began_session(old, "late", "opencode"),
        lambda: attempt.with_profile(old, "opencode"),
        lambda: attempt.wrote_transcript(old, 10),
        lambda: attempt.used(old, 1, 1, attempt.cost),
    ):
        with pytest.raises(Fenced):
            write()
    assert Event.objects.count() == before
    assert Question.objects.get().is_open


@pytest.mark.parametrize("status", [AttemptStatus.FAILED, AttemptStatus.LOST, AttemptStatus.INTERRUPTED])
def test_what_an_attempt_has_asked_is_gone_with_it(status: AttemptStatus) -> None:
    worker = make.agents_worker()
    question, answered, delivered = make.question(worker), make.question(worker), make.question(worker)
    answered.respond("once", "", "mira")
    delivered.respond("once", "", "mira")
    delivered.delivered(worker)
    question.attempt.close(worker, status, ChunkOutcome.PENDING)
    closed = dict(Question.objects.values_list("pk", "closed"))
    assert closed == {question.pk: "gone", answered.pk: "gone", delivered.pk: ""}
    assert Worker.objects.get().attention == ""
    assert attention()[-1] == 0


def test_that_a_chunk_is_stuck_outlives_its_attempt() -> None:
    worker = make.agents_worker()
    question = make.question(worker, kind="stuck")
    question.attempt.close(worker, AttemptStatus.FAILED, ChunkOutcome.PENDING)
    assert Question.objects.get().is_open


@pytest.mark.parametrize("end", [Worker.completed, lambda w: w.fail(Reason.NODE_LOST, ""), lambda w: w.stopped("mira")])
def test_an_ended_worker_waits_for_nobody(end: object) -> None:
    worker = make.agents_worker()
    question = make.question(worker, kind="stuck")
    end(worker)  # type: ignore[operator]
    assert Question.objects.get().closed == "gone"
    assert Worker.objects.get().attention == ""
    assert attention() == [1, 0]
    with pytest.raises(StaleTransition):
        question.respond("retry", "", "mira")


def test_an_end_without_questions_tells_nothing_of_them() -> None:
    make.agents_worker().completed()
    assert attention() == []


@pytest.mark.parametrize("changes", [{"kind": "curious"}, {"closed": "lost"}, {"delivered_at": "2026-01-01T00:00Z"}])
def test_the_database_refuses_nonsense(changes: dict[str, object]) -> None:
    make.question()
    with pytest.raises(IntegrityError), transaction.atomic():
        Question.objects.update(**changes)


def test_a_key_is_used_once_per_attempt() -> None:
    question = make.question()
    with pytest.raises(IntegrityError):
        Question.objects.create(worker=question.worker, attempt=question.attempt, key=question.key, kind="blocked")


def test_questions_of_a_worker_with_attempts_of_several_chunks_are_told_apart() -> None:
    worker = make.agents_worker({}, {})
    first = make.question(worker)
    first.attempt.close(worker, AttemptStatus.PASSED, ChunkOutcome.PASSED)
    second = Attempt.open(worker, worker.chunks.get(ordinal=2))
    again = Question.ask(worker, second, first.key, QuestionKind.BLOCKED, text="What now?")
    assert again.pk != first.pk
    assert Worker.objects.get().attention == "What now?"
