"""A person's words to a running agent."""

import pytest

from tests.support import make
from workers import publisher
from workers.errors import Fenced, InvalidWords, StaleTransition
from workers.models import Attempt, Event, Message, Worker

pytestmark = pytest.mark.django_db(transaction=True)


def at_work(**fields: object) -> Worker:
    """A worker whose agent is at its first chunk."""
    worker = make.agents_worker(fields)
    Attempt.open(worker, worker.chunks.get(ordinal=1))
    return worker


def test_a_message_is_kept_until_it_is_said() -> None:
    worker = at_work()
    message = Message.send(worker, "Use tabs.", "mira", now=True)
    assert Message.objects.get() == message
    assert (message.text, message.by, message.now, message.said_at) == ("Use tabs.", "mira", True, None)
    assert Event.objects.latest("seq").data == {"message": message.pk, "by": "mira"}
    message.said(worker)
    assert Message.objects.get().said_at is not None


def test_a_message_raises_the_flag_that_its_owner_reads(valkey: object) -> None:
    worker = at_work()
    flags = set()
    for text in ("one", "two"):
        Message.send(worker, text, "mira")
        flags.add(publisher.client().get(publisher.wish_key(worker.pk)))
    assert len(flags - {None}) == 2


def test_the_same_words_that_were_not_said_yet_are_sent_once() -> None:
    worker = at_work()
    first = Message.send(worker, "Use tabs.", "mira")
    assert Message.send(worker, "Use tabs.", "mira", now=True) == first
    assert Message.objects.get().now
    assert Message.send(worker, "Use tabs.", "ines") != first
    first.said(worker)
    assert Message.send(worker, "Use tabs.", "mira") != first


@pytest.mark.parametrize(("text", "complaint"), [("", "Say something"), (" \n", "Say something"), ("x" * 20_001, "at")])
def test_what_cannot_be_said_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InvalidWords, match=complaint):
        Message.send(at_work(), text, "mira")
    assert not Message.objects.exists()


def test_nobody_hears_a_message_to_a_worker_that_has_ended() -> None:
    worker = at_work()
    worker.completed()
    with pytest.raises(StaleTransition, match="already ended"):
        Message.send(worker, "Hello?", "mira")


def test_nobody_hears_a_message_to_a_worker_that_is_stopping() -> None:
    worker = at_work()
    worker.request_stop("ines")
    with pytest.raises(StaleTransition, match="is stopping"):
        Message.send(worker, "Hello?", "mira")


def test_a_command_hears_nothing() -> None:
    worker = at_work(executor="command", params={"run": "true"})
    with pytest.raises(StaleTransition, match="No agent"):
        Message.send(worker, "Hello?", "mira")


def test_before_the_first_chunk_there_is_no_agent() -> None:
    with pytest.raises(StaleTransition, match="No agent"):
        Message.send(make.agents_worker(), "Hello?", "mira")


def test_an_owner_that_was_overtaken_records_nothing() -> None:
    old = at_work()
    message = Message.send(old, "Use tabs.", "mira")
    assert Worker.adopt(old.pk, old.epoch)
    with pytest.raises(Fenced):
        message.said(old)
    assert Message.objects.get().said_at is None
