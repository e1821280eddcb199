"""What waits for a person: a permission, words that an agent needs, or what shall become of a chunk that is stuck."""

from functools import partial
from typing import Any

from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from specs.acting import record
from specs.fields import CleanCharField, CleanJSONField, CleanTextField
from workers import publisher
from workers.errors import InvalidWords, StaleTransition
from workers.models.attempt import Attempt
from workers.models.event import after_commit, assign, unit_of_work
from workers.models.plan import WorkerChunk
from workers.models.worker import GONE, IS_OPEN, Worker
from workers.states import AttemptStatus, ChunkOutcome, QuestionKind, StuckOption

TITLE_LENGTH = 300
WORDS_LENGTH = 20_000  # characters that a person may say at once
IS_UNDELIVERED = Q(answered_at__isnull=False, delivered_at__isnull=True, closed="")
POLICY = "policy"  # who answered what the profile allows or refuses by itself


class Question(models.Model):
    """One thing that waits, or waited, for a person.

    The worker's owner asks; a person responds; the owner delivers. An answer is kept until there is an owner.
    """

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="questions")
    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="questions")
    key = CleanCharField(max_length=220)  # the runner's name for it
    kind = models.CharField(max_length=10, choices=QuestionKind.choices)
    title = CleanCharField(max_length=TITLE_LENGTH, blank=True)
    text = CleanTextField(blank=True)
    detail = CleanJSONField(default=dict, blank=True)  # {"command": "…", "diffs": [{"path", "old", "new"}]}
    options = CleanJSONField(default=list, blank=True)  # [{"id", "name", "kind"}]; none: it waits for words
    asked_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True)
    answered_by = CleanCharField(max_length=150, blank=True)
    option = CleanTextField(blank=True)  # the id of the chosen one
    answer = CleanTextField(blank=True)
    closed = models.CharField(max_length=10, blank=True)  # "gone": nobody can answer, or hear the answer, any more
    delivered_at = models.DateTimeField(null=True)  # when what had asked got the answer

    class Meta:
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(fields=("attempt", "key"), name="question_key_is_unique_per_attempt"),
            models.CheckConstraint(condition=Q(kind__in=tuple(QuestionKind.values)), name="question_kind_is_known"),
            models.CheckConstraint(condition=Q(closed__in=("", GONE)), name="question_is_open_or_gone"),
            models.CheckConstraint(
                condition=Q(delivered_at=None) | Q(answered_at__isnull=False),
                name="question_has_an_answer_when_one_was_delivered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"

    @property
    def sentence(self) -> str:
        """What is asked, never empty."""
        first, second = (self.title, self.text) if self.kind == QuestionKind.PERMISSION else (self.text, self.title)
        return first or second or QuestionKind(self.kind).label

    @property
    def is_open(self) -> bool:
        """Whether it waits for a person."""
        return self.answered_at is None and not self.closed

    @unit_of_work
    def respond(self, option: str, text: str, by: str) -> None:
        """Answer with the id of an option, where there are any, and with words, which may be empty beside an option.

        Repeating it changes nothing. Raises StaleTransition when it waits no longer, InvalidWords for no answer.
        """
        worker = Worker.objects.select_for_update().get(pk=self.worker_id)
        self.refresh_from_db()
        if not self.closed and self.answered_at and (self.answered_by, self.option, self.answer) == (by, option, text):
            return
        self._refuse_what_is_late()
        self._refuse_what_is_no_answer(option, text)
        facts = {"answered_at": timezone.now(), "answered_by": by, "option": option, "answer": text}
        Question.objects.filter(pk=self.pk).update(**facts)
        assign(self, facts)
        worker.questions_changed()
        said = {"question": self.sentence, "option": option, "text": text}
        record("worker.answer", worker, after={name: value for name, value in said.items() if value}, by=by)
        after_commit(partial(publisher.wish_changed, worker.pk, f"answer:{self.pk}"))

    def _refuse_what_is_late(self) -> None:
        if self.closed:
            raise StaleTransition("Nobody waits for this answer any more.", current="gone")
        if self.answered_at is not None:
            raise StaleTransition(f"{self.answered_by} has answered this already.", current="answered")

    def _refuse_what_is_no_answer(self, option: str, text: str) -> None:
        ids = [offered["id"] for offered in self.options]
        if ids and option not in ids:
            names = [str(offered.get("name") or offered["id"]) for offered in self.options]
            raise InvalidWords(f"Choose one of: {', '.join(names)}.", field="option")
        if not ids and option:
            raise InvalidWords("There is nothing to choose from: answer in words.", field="option")
        check_words(text, may_be_empty=bool(ids))

    # What the worker's owner records. Each raises Fenced when the owner's epoch has moved on.

    @classmethod
    @unit_of_work
    def ask(cls, worker: Worker, attempt: Attempt, key: str, kind: QuestionKind, **facts: Any) -> "Question":
        """Have a person asked, once per key; facts: title, text, detail, options."""
        worker.prove()
        facts["title"] = facts.get("title", "")[:TITLE_LENGTH]
        question, _ = cls.objects.get_or_create(
            attempt=attempt, key=key, defaults={"worker": worker, "kind": kind, **facts}
        )
        if question.is_open:
            worker.questions_changed()
        return question

    @classmethod
    @unit_of_work
    def ask_about_failure(cls, worker: Worker, attempt: Attempt, why: str, **facts: Any) -> None:
        """End an attempt as failed, and have a person asked what shall become of its chunk.

        `facts` as for `Attempt.close`.
        """
        attempt.close(worker, AttemptStatus.FAILED, ChunkOutcome.PENDING, **facts)
        title = f"Stuck: {attempt.chunk.title}"
        cls.ask(worker, attempt, "stuck", QuestionKind.STUCK, title=title, text=why, options=stuck_options())

    @classmethod
    def about_failures(cls, chunk: WorkerChunk) -> "QuerySet[Question]":
        """Why the chunk was stuck, each time, the last time first."""
        return cls.objects.filter(attempt__chunk=chunk, kind=QuestionKind.STUCK).order_by("-attempt__number")

    def delivered(self, worker: Worker) -> None:
        """Record that a person's answer has reached what had asked."""
        self._record(worker, IS_UNDELIVERED, delivered_at=timezone.now())

    def decided(self, worker: Worker, option: str, text: str) -> None:
        """Record that the profile's policy has answered before any person."""
        now = timezone.now()
        answer = {"answered_by": POLICY, "option": option, "answer": text}
        self._record(worker, IS_OPEN, answered_at=now, delivered_at=now, **answer)

    def gone(self, worker: Worker) -> None:
        """Record that nobody can answer any more, or that the answer came too late."""
        self._record(worker, Q(closed="", delivered_at=None), closed=GONE)

    @unit_of_work
    def _record(self, worker: Worker, allowed: Q, **changes: Any) -> None:
        """Change what is as `allowed` says; what is not, was faster, or has been recorded already."""
        worker.prove()
        if Question.objects.filter(allowed, pk=self.pk).update(**changes):
            assign(self, changes)
            worker.questions_changed()


def check_words(text: str, *, may_be_empty: bool = False) -> None:
    """Refuse what a person cannot have meant to say. Raises InvalidWords."""
    if not may_be_empty and not text.strip():
        raise InvalidWords("Say something.")
    if len(text) > WORDS_LENGTH:
        raise InvalidWords(f"Say it in at most {WORDS_LENGTH} characters; this has {len(text)}.")


def stuck_options() -> list[dict[str, str]]:
    """What a person can choose for a chunk that is stuck."""
    return [{"id": option.value, "name": option.label, "kind": option.value} for option in StuckOption]
