"""What workers ask people, and what people tell agents at work."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from dashboard import access
from dashboard.api.authentication import ACTING
from dashboard.api.paging import Body, Page, Paging, by_number, page
from dashboard.api.shapes import Shown
from workers.models import Message, Question
from workers.models.question import WORDS_LENGTH
from workers.models.worker import IS_OPEN
from workers.states import QuestionKind

router = Router(tags=["people"])


class OptionOut(Schema):
    """One possible answer."""

    id: str = Field(description="Give it as `option`.")
    name: str = Field(description="As whoever asks calls it.")
    kind: str = Field(description="allow_once, allow_always, reject_once, reject_always, retry, skip or another.")


class QuestionOut(Shown):
    """Something that waits, or waited, for a person."""

    id: int
    worker: int
    attempt: int
    kind: Literal[tuple(QuestionKind.values)] = Field(  # type: ignore[valid-type]
        description="permission (its agent wants to do something), blocked (it needs words), stuck (a chunk is)."
    )
    title: str
    text: str
    detail: dict[str, Any] = Field(description="What it is about: `command`, `diffs`, `input`, as far as known.")
    options: list[OptionOut] = Field(description="What can be chosen; none when it waits for words.")
    is_open: bool = Field(description="Whether it waits for a person.")
    asked_at: datetime
    answered_at: datetime | None
    answered_by: str = Field(description='"policy" when the profile has answered by itself.')
    option: str
    answer: str
    delivered_at: datetime | None = Field(description="When whoever asked got the answer.")

    @classmethod
    def of(cls, question: Question) -> "QuestionOut":
        """As it is."""
        options = [one for one in question.options if isinstance(one, dict)]
        texts = [{name: str(one.get(name) or "") for name in OptionOut.model_fields} for one in options]
        return cls.copied(
            question,
            worker=question.worker_id,
            attempt=question.attempt_id,
            options=[OptionOut(**text) for text in texts],
        )


class QuestionFilter(Schema):
    """Which questions."""

    open: bool | None = Field(None, description="Only those that wait for a person, or only the others.")


class AnswerIn(Body):
    """An answer: the `id` of an option where there are any, words where there are none, or both."""

    option: str = Field("", max_length=1000, description="The `id` of an option.", examples=["once"])
    text: str = Field("", max_length=WORDS_LENGTH, description="Words; with an option they may be empty.")


class MessageIn(Body):
    """Something that an agent is told."""

    text: str = Field(min_length=1, max_length=WORDS_LENGTH, examples=["Keep the old name."])
    now: bool = Field(False, description="Break its turn off for it; otherwise it hears it at the end of its turn.")


class MessageOut(Schema):
    """Something that a person told an agent."""

    id: int
    worker: int = Field(alias="worker_id")
    text: str
    now: bool
    by: str
    sent_at: datetime
    said_at: datetime | None = Field(description="When the agent was told; null before.")


@router.get("/workers/{int:id}/questions", response=Page[QuestionOut], summary="List a worker's questions")
def list_questions(request: HttpRequest, id: int, chosen: Query[QuestionFilter], paging: Query[Paging]) -> Any:
    """What it has asked people, the oldest first."""
    asked = access.get_worker(request.user, id).questions.all()
    if chosen.open is not None:
        asked = asked.filter(IS_OPEN) if chosen.open else asked.exclude(IS_OPEN)
    rows, following = by_number(asked, paging)
    return page([QuestionOut.of(question) for question in rows], following)


@router.post("/questions/{int:id}/answer", auth=ACTING, response=QuestionOut, summary="Answer a question")
def answer_question(request: HttpRequest, id: int, body: AnswerIn) -> QuestionOut:
    """Answer it. Repeating the same answer changes nothing; 409 when it was answered otherwise or waits no longer."""
    question = access.get_question(request.user, id)
    question.respond(body.option, body.text.strip(), request.user.get_username())
    return QuestionOut.of(question)


@router.get("/workers/{int:id}/messages", response=Page[MessageOut], summary="List messages to an agent")
def list_messages(request: HttpRequest, id: int, paging: Query[Paging]) -> Any:
    """What people have told the worker's agent, the oldest first."""
    rows, following = by_number(access.get_worker(request.user, id).messages.all(), paging)
    return page(list(rows), following)


@router.post("/workers/{int:id}/messages", auth=ACTING, response={201: MessageOut}, summary="Tell an agent something")
def send_message(request: HttpRequest, id: int, body: MessageIn) -> Status[Message]:
    """Have the agent at work told. 409 when no agent is at work now."""
    worker = access.get_worker(request.user, id)
    message = Message.send(worker, body.text.strip(), request.user.get_username(), now=body.now)
    return Status(HTTPStatus.CREATED, message)
