"""A person's words to a running agent."""

from functools import partial

from django.db import models
from django.utils import timezone

from specs.acting import record
from specs.fields import CleanCharField, CleanTextField
from workers import publisher
from workers.errors import StaleTransition
from workers.models.event import after_commit, assign, emit, unit_of_work
from workers.models.question import check_words
from workers.models.worker import Worker
from workers.states import AGENT, EventKind, Wish


class Message(models.Model):
    """Something that a person wants an agent to hear: at the end of its turn, or at once.

    What was not said when the turn, or the runner, ended is said in the next one.
    """

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="messages")
    text = CleanTextField()
    now = models.BooleanField(default=False)  # cancel the turn under way for it
    by = CleanCharField(max_length=150)
    sent_at = models.DateTimeField(default=timezone.now)
    said_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"Message {self.pk} to worker {self.worker_id}"

    @classmethod
    @unit_of_work
    def send(cls, worker: Worker, text: str, by: str, now: bool = False) -> "Message":
        """Have the worker's agent told. The same words of the same person, not said yet, are sent once.

        Raises StaleTransition when there is no agent to be told, InvalidWords for what cannot be said.
        """
        check_words(text)
        fresh = Worker.objects.select_for_update().get(pk=worker.pk)
        if reason := deafness(fresh):
            raise StaleTransition(reason, current=fresh.state)
        message, is_new = cls.objects.get_or_create(worker=fresh, text=text, by=by, said_at=None, defaults={"now": now})
        if now and not message.now:
            cls.objects.filter(pk=message.pk).update(now=True)
            assign(message, {"now": True})
        if is_new:
            emit(EventKind.WORKER_PROGRESS, fresh.pk, message=message.pk, by=by)
            record("worker.tell", fresh, after={"text": text, "now": now}, by=by)
        after_commit(partial(publisher.wish_changed, fresh.pk, f"message:{message.pk}:{message.now}"))
        return message

    @unit_of_work
    def said(self, worker: Worker) -> None:
        """Record, as the worker's owner, that its agent was told. Raises Fenced when the epoch has moved on."""
        worker.prove()
        facts = {"said_at": timezone.now()}
        Message.objects.filter(pk=self.pk).update(**facts)
        assign(self, facts)
        emit(EventKind.WORKER_PROGRESS, worker.pk, message=self.pk)


def deafness(worker: Worker) -> str:
    """Why nobody would hear a message to the worker now, as a sentence; "" when somebody would."""
    if not worker.is_active:
        return f"Worker {worker.pk} has already ended."
    if worker.desired == Wish.STOP:
        return f"Worker {worker.pk} is stopping."
    if not worker.chunks.filter(ordinal=worker.current, executor=AGENT).exists():
        return f"No agent is at work for worker {worker.pk} now."
    return ""
