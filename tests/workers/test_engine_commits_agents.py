"""Each commit of an engine fails once, or is its last act, while agents ask, use, wait and get stuck."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.support import make
from tests.support.commits import WAYS, Instead, drive_to_the_end, every_commit
from tests.support.driving import attempts, now, outcomes
from tests.support.puppets import Puppet, Puppets
from workers.models import Message, Question, Worker
from workers.models.worker import IS_OPEN
from workers.states import WorkerStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]

ANSWERS = {"1.1:execute#1": "once", "1.stuck": "retry", "2.stuck": "skip"}


def play(puppet: Puppet, message: dict[str, Any]) -> None:
    """The first chunk asks, is refused, and then succeeds after a wait; the second is refused."""
    match message:
        case {"op": "execute", "request": "1.1:execute"} if not told(puppet, "asked"):
            puppet.tell("session", id="s1", profile="painter", resumed=False)
            puppet.tell("usage", tokens_in=10, tokens_out=1, cached_read=0, cached_written=0, cost=0.5, currency="USD")
            puppet.tell("asked", question="1.1:execute#1", what="permission", title="?", options=[make.ALLOW])
        case {"op": "answer", "option": option} if not told(puppet, "answered"):
            puppet.tell("answered", question="1.1:execute#1", option=option, text="", by="person")
            puppet.tell("transcript", bytes=100)
        case {"op": "tell", "message": number} if not told(puppet, "told"):
            puppet.tell("told", message=number)
        case {"op": "execute", "request": "1.2:execute"} if not told(puppet, "waiting"):
            puppet.tell("waiting", reason="provider_rate_limit", until=None, text="Rate limit")
            puppet.tell("going_on")
            puppet.tell("usage", tokens_in=5, tokens_out=2, cached_read=0, cached_written=0, cost=0.25, currency="USD")
            puppet.finish()
        case {"op": "review"} if puppet.under_way:
            puppet.finish()
        case {"op": "execute", "request": "2.1:execute"} if puppet.under_way:
            puppet.fail("agent_refused")
    if told(puppet, "answered") and told(puppet, "told") and not told(puppet, "finished"):
        puppet.fail("agent_refused")


def told(puppet: Puppet, kind: str) -> bool:
    return any(entry["kind"] == kind for entry in puppet.entries)


@contextmanager
def a_person(worker: Worker) -> Iterator[None]:
    """Within: every question of the worker is answered as soon as it is open."""
    over = threading.Event()

    def answer() -> None:
        try:
            while not over.wait(0.01):
                for question in Question.objects.filter(IS_OPEN, worker=worker).select_related("attempt__chunk"):
                    key = question.key if question.key in ANSWERS else f"{question.attempt.chunk.ordinal}.stuck"
                    question.respond(ANSWERS[key], "", "mira")
        finally:
            connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def accepted(directory: Path) -> Worker:
    project = make.project(directory, default_profile="painter")
    worker = make.worker(make.for_agent(review={"command": "true"}), make.for_agent(), project=project, max_attempts=1)
    Message.objects.create(worker=worker, text="Hello.", by="mira")
    return worker


def check(worker: Worker) -> None:
    worker = now(worker)
    assert (worker.status, worker.error) == (WorkerStatus.COMPLETED, "")
    assert outcomes(worker) == ["passed", "skipped"]
    assert [attempt[:3] for attempt in attempts(worker)] == [(1, 1, "failed"), (1, 2, "passed"), (2, 1, "failed")]
    assert (worker.passed, worker.failed, worker.skipped, worker.rescues) == (1, 0, 1, 0)
    assert (worker.session_id, worker.attention, worker.waits_for) == ("s1", "", "")
    assert (worker.tokens_in, worker.tokens_out, worker.cost) == (15, 3, Decimal("0.75"))
    asked = list(worker.questions.values_list("key", "option", "closed"))
    assert asked == [("1.1:execute#1", "once", ""), ("stuck", "retry", ""), ("stuck", "skip", "")]
    assert not worker.questions.filter(delivered_at=None).exists()
    assert worker.messages.get().said_at is not None


@pytest.mark.parametrize("instead", WAYS)
def test_whichever_commit_goes_wrong_the_worker_ends_right(instead: Instead, tmp_path: Path, puppets: Puppets) -> None:
    make.profile(name="painter")
    puppets.play = play
    number = 0
    while True:
        number += 1
        worker = accepted(tmp_path)
        with a_person(worker), every_commit(number, instead) as count:
            drive_to_the_end(worker)
        check(worker)
        if count[0] < number:
            break
    assert number > 20, "an engine commits more often than that"
