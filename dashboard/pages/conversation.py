"""What an agent has said and done in an attempt, as it comes."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from dashboard import access, logs
from dashboard.pages import attempts, fragments, transcripts
from dashboard.pages.entries import Asked, Entry, Speech
from dashboard.pages.tabs import show_tab
from dashboard.pages.transcripts import Part
from dashboard.templatetags.specyard import usage
from workers.models import Attempt, Message, Question
from workers.states import AttemptStatus

PLACE_DIGITS = 15
MOST_SHOWN = 1000  # entries in the page at once; what is far from the reader gives way


@access.looking()
def index(request: HttpRequest, pk: int) -> HttpResponse:
    """The tab with the conversation of one attempt: the wanted one, else the newest."""
    worker = access.get_worker(request.user, pk)
    attempt = attempts.chosen(worker, request.GET.get("attempt", ""))
    context = {"attempt": attempt, "words": fragments.worker_words(worker)}
    context |= {"most": MOST_SHOWN, "far": transcripts.MOST_FAR}
    return show_tab(request, worker, "conversation", "workers/conversation.html", context)


@access.looking()
def entries(request: HttpRequest, pk: int) -> HttpResponse:
    """What there is to show of a transcript, as partials for htmx.

    Without `offset` the last entries; with `offset`, `grows` and `far`, as the last reply gave them, what has come
    since, and with `held` only what has become of entries that are there already; with `before` the entries before it.
    `earlier` in the reply: there are entries before this place (0: none). `complete`: nothing more will come.
    """
    attempt = access.get_attempt(request.user, pk)
    ended = attempt.status != AttemptStatus.RUNNING  # read before the file, so that no last line is missed
    offset = _place(request, "offset")
    try:
        part = _read(request, attempt, offset, ended)
    except FileNotFoundError:
        part = Part()
    complete = ended and not part.more
    if complete or (ended and "held" in request.GET):
        for entry in part.entries:
            entry.is_over = True
    reply = {"offset": part.offset, "grows": part.grows, "far": part.far, "earlier": part.earlier, "more": part.more}
    reply |= {"stale": part.stale, "complete": complete, "new": sum(_is_new(one, offset) for one in part.entries)}
    reply["usage"] = usage(attempt) if attempt.tokens_in or attempt.tokens_out or attempt.cost else ""
    reply["html"] = _html(attempt, part.entries, offset, "afterbegin" if "before" in request.GET else "beforeend")
    return JsonResponse(reply, headers={"Cache-Control": "no-store"})


def _place(request: HttpRequest, name: str) -> int | None:
    return _number(request.GET.get(name, ""))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= PLACE_DIGITS else None


def _read(request: HttpRequest, attempt: Attempt, offset: int | None, ended: bool) -> Part:
    path, place = attempt.transcript_path, _place(request, "before")
    if place is not None:
        return transcripts.before(path, place)
    if offset is None:
        return transcripts.newest(path)
    read = transcripts.since if "held" in request.GET else transcripts.onwards
    listed = request.GET.get("far", "").split(",")[: transcripts.MOST_FAR]
    far = [place for place in map(_number, listed) if place is not None]
    return read(path, offset, _place(request, "grows") or 0, far, ended=ended)


def _is_new(entry: Entry, offset: int | None) -> bool:
    return offset is None or entry.begins >= offset


def _html(attempt: Attempt, found: list[Entry], offset: int | None, where: str) -> str:
    """New entries go to the list; others morph what is there."""
    if not found:
        return ""
    context = {
        "new": [entry for entry in found if _is_new(entry, offset)],
        "changed": [entry for entry in found if not _is_new(entry, offset)],
        "where": where,
        "attempt": attempt,
        "agent": attempt.profile or attempt.chunk.worker.session_profile or "Agent",
        "reviewer": _reviewer(attempt),
        "root": attempt.chunk.worker.workspace,
        **_people(attempt, found),
    }
    return render_to_string("conversation/_entries.html", context)


def _reviewer(attempt: Attempt) -> str:
    told = attempt.chunk.review.get("agent")
    return (told.get("profile") if isinstance(told, dict) else "") or attempt.profile or "Agent"


def _people(attempt: Attempt, found: list[Entry]) -> dict[str, Any]:
    """Who wrote the messages, by their numbers, and answered the questions, by their names and titles."""
    sent = {entry.number for entry in found if isinstance(entry, Speech) and entry.number is not None}
    asked = any(isinstance(entry, Asked) and entry.by == "person" for entry in found)
    messages = Message.objects.filter(worker=attempt.chunk.worker_id, pk__in=sent) if sent else ()
    questions = Question.objects.filter(attempt=attempt, answered_at__isnull=False) if asked else ()
    answerers = {question.title: question.answered_by for question in questions}
    answerers |= {question.key: question.answered_by for question in questions}
    return {"authors": {message.pk: message.by for message in messages}, "answerers": answerers}


@access.looking()
def download(request: HttpRequest, pk: int) -> HttpResponse:
    """The raw transcript."""
    attempt = access.get_attempt(request.user, pk)
    missing = "No agent has worked on this attempt."
    return logs.file_of(attempt, attempt.transcript_path, "application/x-ndjson", missing)
