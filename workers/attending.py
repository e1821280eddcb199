"""What an owner does about agents and people: takes in what an agent tells, asks people, passes on what they say."""

from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from workers import stuck
from workers.asking import Asking, name_of
from workers.errors import RunnerLost
from workers.launch import Entry
from workers.link import GivenUp
from workers.models import Attempt, Question, Worker, WorkerChunk, retrying
from workers.models.question import IS_UNDELIVERED
from workers.states import AGENT, MAX_RESCUES, AttemptStatus, ChunkOutcome, QuestionKind, Reason

MOST_DOLLARS, MOST_TOKENS = 1e6, 10**12  # of one request
# The part of an entry by which a later one takes the place of an earlier one of the same kind.
SUPERSEDES = {"asked": "question", "answered": "question", "told": "message", "usage": "request", "session": "request"}


class Used(NamedTuple):
    """What requests to a model have cost; `cost` in dollars."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost: Decimal = Decimal(0)
    cached_read: int = 0
    cached_written: int = 0

    @classmethod
    def told(cls, entry: Entry) -> "Used":
        """What an entry tells, without what cannot be."""
        cost = entry.get("cost") if entry.get("currency") in ("", "USD", None) else None
        cached = (tokens(entry.get(name, 0)) for name in ("cached_read", "cached_written"))
        return cls(tokens(entry["tokens_in"]), tokens(entry["tokens_out"]), dollars(cost), *cached)

    def with_(self, other: "Used") -> "Used":
        """The sum."""
        return Used(*map(add, self, other))


class Attending(Asking):
    """Between the requests and the engine's story. Holds nothing that a journal and the rows do not give again."""

    def __init__(self, worker: Worker, *, fresh: bool) -> None:
        super().__init__(worker, fresh=fresh)
        self.attempt: Attempt | None = None
        self.missed: dict[tuple[str, Any], Entry] = {}  # what runners told before this owner knew of the attempt
        self.used: dict[str, Used] = {}  # by request
        self.passed_on: set[str] = set()  # answers and messages that this runner has got
        self.stuck: Question | None = None  # what the worker waits for, instead of working

    # What an agent tells.

    def take_in(self, entry: Entry) -> None:
        """Turn one journal entry into rows and events; those of agents only for the attempt under way."""
        take = self.takers().get(entry["kind"])
        if take is None:
            super().take_in(entry)
        elif self.attempt is not None and entry.get("attempt") == self.attempt.pk:
            take(self.attempt, entry)

    def takers(self) -> dict[str, Callable[[Attempt, Entry], None]]:
        """Who takes which kind of entry in. Each may meet the same entry twice."""
        return {
            "session": self.take_session,
            "asked": self.take_question,
            "answered": self.take_answer,
            "told": self.take_told,
            "usage": self.take_usage,
            "transcript": self.take_transcript,
            "waiting": self.take_wait,
            "going_on": self.take_wait,
        }

    def remember(self, entry: Entry) -> None:
        kind = entry["kind"]
        if kind in self.takers():
            key = ("waiting" if kind == "going_on" else kind, entry.get(SUPERSEDES.get(kind, "")))
            self.missed.pop(key, None)  # so that what is told last stays last
            self.missed[key] = entry

    def make_up(self) -> None:
        """Take in what was missed of the attempt under way, now that it is known."""
        missed, self.missed = self.missed, {}
        for entry in missed.values():
            self.take_in(entry)

    def take_session(self, attempt: Attempt, entry: Entry) -> None:
        """The session of whoever does the work is kept for a later runner; a reviewer's is not."""
        if entry["request"].endswith(":execute"):
            known = (self.worker.session_id, self.worker.session_profile, attempt.profile)
            if known != (entry["id"], entry["profile"], entry["profile"]):
                attempt.began_session(self.worker, entry["id"], entry["profile"])

    def take_question(self, attempt: Attempt, entry: Entry) -> None:
        """Have a person asked."""
        detail = {name: entry[name] for name in ("command", "diffs", "more", "input") if entry.get(name)}
        facts = {"text": entry.get("text", ""), "detail": detail, "options": entry.get("options", [])}
        Question.ask(
            self.worker, attempt, entry["question"], QuestionKind(entry["what"]), title=entry["title"], **facts
        )

    def take_answer(self, attempt: Attempt, entry: Entry) -> None:
        """What had asked has got its answer, or waits no longer."""
        question = retrying(attempt.questions.filter(key=entry["question"]).first)
        if question is None or question.closed or question.delivered_at is not None:
            return
        if entry["by"] == "gone":
            question.gone(self.worker)
        elif question.answered_at is not None:
            question.delivered(self.worker)
        else:
            question.decided(self.worker, entry["option"], entry["text"])

    def take_told(self, attempt: Attempt, entry: Entry) -> None:
        """The agent has been told what a person said."""
        message = retrying(self.worker.messages.filter(pk=entry["message"], said_at=None).first)
        if message is not None:
            message.said(self.worker)

    def take_usage(self, attempt: Attempt, entry: Entry) -> None:
        """Add up what the requests of the attempt have used."""
        self.used[entry["request"]] = Used.told(entry)
        of_attempt = f"{name_of(attempt, attempt.chunk)}:"
        parts = [used for request, used in self.used.items() if request.startswith(of_attempt)]
        total = reduce(Used.with_, parts, Used())
        if total != tuple(getattr(attempt, name) for name in Used._fields):
            attempt.used(self.worker, *total)

    def take_transcript(self, attempt: Attempt, entry: Entry) -> None:
        """Record how far the transcript reaches."""
        if entry["bytes"] > attempt.transcript_bytes:
            attempt.wrote_transcript(self.worker, entry["bytes"])

    def take_wait(self, attempt: Attempt, entry: Entry) -> None:
        """The runner waits by itself, or goes on by itself."""
        what = entry.get("text") or entry.get("reason", "")
        if entry.get("until"):
            what = f"Until {entry['until']}: {what}"  # pages show the time in the reader's zone
        if what != self.worker.waits_for:
            self.worker.waits(what)

    # What people say.

    def finish_runner(self) -> None:
        if self.launching is not None:
            self.passed_on.clear()  # a new runner has heard nothing
        super().finish_runner()

    def look(self) -> None:
        """See what people have answered and said meanwhile, and pass it on."""
        if self.stuck is not None:
            retrying(self.stuck.refresh_from_db)
        attempt = self.attempt
        if self.connection is not None and attempt is not None and attempt.chunk.uses_agent:
            self.pass_answers_on(attempt)
            if attempt.chunk.executor == AGENT:
                self.pass_messages_on()

    def pass_answers_on(self, attempt: Attempt) -> None:
        """Say each answer once to this runner; its journal says when it was heard."""
        answered = attempt.questions.filter(IS_UNDELIVERED).exclude(kind=QuestionKind.STUCK)
        for question in retrying(lambda: list(answered)):
            if self.is_news(f"question {question.key}"):
                self.say("answer", question=question.key, option=question.option, text=question.answer)

    def pass_messages_on(self) -> None:
        """Say each message once to this runner, again when it has become urgent."""
        unsaid = self.worker.messages.filter(said_at=None)
        for message in retrying(lambda: list(unsaid)):
            if self.is_news(f"message {message.pk} {message.now}"):
                self.say("tell", message=message.pk, text=message.text, now=message.now)

    def is_news(self, what: str) -> bool:
        """Whether this runner has not been told yet; from now on it has."""
        news = what not in self.passed_on
        self.passed_on.add(what)
        return news

    # A chunk that is stuck.

    def close_failed(self, attempt: Attempt, **facts: Any) -> bool:
        """End a failed attempt of an agent by asking a person, if another one would not help. Whether it was so."""
        failed = attempt.chunk.attempts.filter(status=AttemptStatus.FAILED, number__lt=attempt.number)
        before = retrying(lambda: failed.order_by("-number").values("reason", "message", "findings").first())
        why = stuck.why(facts, before, self.has_changed(attempt))
        if why:
            Question.ask_about_failure(self.worker, attempt, why, **facts)
        return bool(why)

    def has_changed(self, attempt: Attempt) -> bool | None:
        """Whether the agent, which thought that it was done, has changed the workspace; None when nobody knows."""
        executed = self.results.get(f"{name_of(attempt, attempt.chunk)}:execute")
        if executed is None or executed["outcome"] != "passed":
            return None
        changed: bool | None = (executed.get("facts") or {}).get("changed")
        return changed

    def decision(self, chunk: WorkerChunk) -> str:
        """What a person wants to become of a chunk that is stuck, waited for; "" when it is not stuck."""
        if chunk.executor != AGENT or chunk.outcome != ChunkOutcome.PENDING:
            return ""
        question = retrying(Question.about_failures(chunk).first)
        if question is None:
            return ""
        self.wait_for(question)
        if question.delivered_at is None:
            question.delivered(self.worker)
        return question.option

    def wait_for(self, question: Question) -> None:
        """Heed wishes, and keep the runner, until a person has decided. Raises StopRequested, Draining, Fenced …"""
        self.stuck, losses = question, 0
        try:
            while question.is_open:
                try:
                    self.begin_runner()
                    self.finish_runner()
                    self.listen()
                except RunnerLost:
                    losses += 1
                    self.forget_runner()
                    if losses > MAX_RESCUES:
                        raise GivenUp(Reason.RUNNER_LOST, f"The runner died {losses} times.") from None
        finally:
            self.stuck = None


def dollars(cost: float | None) -> Decimal:
    """What an agent says that it has cost, as it is stored; nonsense counts for nothing."""
    plausible = cost if cost is not None and 0 <= cost < MOST_DOLLARS else 0
    return Decimal(str(plausible)).quantize(Decimal("0.0001"))


def tokens(count: int) -> int:
    """The same for tokens."""
    return count if 0 <= count < MOST_TOKENS else 0
