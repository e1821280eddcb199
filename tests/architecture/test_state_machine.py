"""docs/state_machine.md draws exactly what the verbs do: each verb is tried on every state."""

import itertools
import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.utils import timezone

from tests.architecture.source import ROOT
from tests.support import make
from workers import publisher
from workers.errors import StaleTransition
from workers.models import Attempt, Question, Worker
from workers.states import (
    FINAL,
    AttemptStatus,
    ChunkOutcome,
    Reason,
    WorkerStatus,
)

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENT = ROOT / "docs" / "state_machine.md"
Arrow = tuple[str, str]
WORKER_VERBS: dict[str, Callable[[Worker], object]] = {
    "claim": lambda worker: Worker.claim(worker.pk, worker.epoch),
    "adopt": lambda worker: Worker.adopt(worker.pk, worker.epoch),
    "prepared": lambda worker: worker.prepared("/somewhere"),
    "new_incarnation": lambda worker: worker.new_incarnation(),
    "paused": lambda worker: worker.paused(),
    "resumed": lambda worker: worker.resumed(),
    "completed": lambda worker: worker.completed(),
    "fail": lambda worker: worker.fail(Reason.CHUNK_FAILED, "exit 1"),
    "stopped": lambda worker: worker.stopped("mira"),
    "request_stop": lambda worker: worker.request_stop("mira"),
    "request_pause": lambda worker: worker.request_pause("mira"),
    "request_resume": lambda worker: worker.request_resume("mira"),
}


def drawn(title: str) -> dict[Arrow, str]:
    """The arrows of the diagram below a heading, each with what is written on it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = re.search(rf"^## {title}\n.*?```mermaid\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert section, f"{DOCUMENT.name} has no diagram below {title!r}"
    found = re.findall(r"^\s*(\S+) --> ([^\s:]+)(?::\s*(.*))?$", section[1], re.MULTILINE)
    return {(source, target): label for source, target, label in found}


def between(arrows: dict[Arrow, str]) -> dict[Arrow, str]:
    return {arrow: label for arrow, label in arrows.items() if "[*]" not in arrow}


def in_state(status: WorkerStatus) -> Worker:
    """A worker that is forced into a state, whatever the verbs say."""
    worker = make.worker()
    ended = {"slot": None, "completed_at": timezone.now()} if status in FINAL else {}
    Worker.objects.filter(pk=worker.pk).update(status=status, **ended)
    return Worker.objects.get(pk=worker.pk)


def test_the_drawn_arrows_of_a_worker_are_what_the_verbs_do() -> None:
    done: dict[Arrow, set[str]] = {}
    for source, (name, verb) in itertools.product(WorkerStatus, WORKER_VERBS.items()):
        worker = in_state(source)
        try:
            verb(worker)
        except StaleTransition:
            assert Worker.objects.get(pk=worker.pk).status == source, f"{name} refused and changed {source}"
        target = Worker.objects.get(pk=worker.pk).status
        if target != source:
            done.setdefault((str(source), target), set()).add(name)
    arrows = between(drawn("Worker"))
    assert set(done) == set(arrows)
    for arrow, label in arrows.items():
        assert label.split(" ")[0] in done[arrow], f"{arrow} is drawn as {label!r} but done by {done[arrow]}"


def test_the_drawn_beginnings_and_ends_of_a_worker_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    arrows = drawn("Worker")
    assert {source for source, target in arrows if target == "[*]"} == set(FINAL)
    elsewhere = make.worker()
    monkeypatch.setattr(publisher, "_drivers", {elsewhere.node.name: lambda worker: None})
    begun = {elsewhere.status, make.worker().status}
    assert {target for source, target in arrows if source == "[*]"} == begun


def test_the_drawn_arrows_of_an_attempt_are_what_closing_does() -> None:
    done = set()
    for source, target in itertools.product(AttemptStatus, AttemptStatus):
        worker = make.worker()
        claimed = Worker.claim(worker.pk, worker.epoch)
        assert claimed is not None
        attempt = Attempt.open(claimed, claimed.chunks.get())
        finished = None if source == AttemptStatus.RUNNING else timezone.now()
        Attempt.objects.filter(pk=attempt.pk).update(status=source, finished_at=finished)
        if target != AttemptStatus.RUNNING and source != target:
            try:
                attempt.close(claimed, target, ChunkOutcome.PENDING)
            except StaleTransition:
                continue
            done.add((str(source), str(target)))
    assert done == set(between(drawn("Attempt")))


def test_every_state_of_a_chunk_is_drawn() -> None:
    states = {state for arrow in drawn("Chunk of a worker") for state in arrow} - {"[*]"}
    assert states == set(ChunkOutcome)


QUESTION_STATES: dict[str, dict[str, object]] = {
    "open": {},
    "answered": {"answered_at": timezone.now(), "option": "once"},
    "delivered": {"answered_at": timezone.now(), "option": "once", "delivered_at": timezone.now()},
    "gone": {"closed": "gone"},
}
QUESTION_VERBS: dict[str, Callable[[Question, Worker], object]] = {
    "respond": lambda question, worker: question.respond("no", "", "mira"),
    "decided": lambda question, worker: question.decided(worker, "no", ""),
    "delivered": lambda question, worker: question.delivered(worker),
    "gone": lambda question, worker: question.gone(worker),
}


def state_of(question: Question) -> str:
    """Where a question is drawn."""
    if question.closed:
        return question.closed
    if question.delivered_at:
        return "delivered"
    return "answered" if question.answered_at else "open"


def test_the_drawn_arrows_of_a_question_are_what_the_verbs_do() -> None:
    done: dict[Arrow, set[str]] = {}
    for (source, facts), (name, verb) in itertools.product(QUESTION_STATES.items(), QUESTION_VERBS.items()):
        worker = make.agents_worker()
        question = make.question(worker)
        Question.objects.filter(pk=question.pk).update(**facts)
        with suppress(StaleTransition):
            verb(Question.objects.get(pk=question.pk), worker)
        found = Question.objects.get(pk=question.pk)
        if state_of(found) != source:
            done.setdefault((source, state_of(found)), set()).add(name)
        elif source != "open":
            assert found.option == facts.get("option", ""), f"{name} changed the answer of one that is {source}"
    arrows = between(drawn("Question"))
    assert set(done) == set(arrows)
    for arrow, label in arrows.items():
        assert done[arrow] == {label.split(" ")[0]}
