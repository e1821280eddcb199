"""What people answer when a worker waits for them, and what they tell an agent at work."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from dashboard import access
from dashboard.pages import fragments
from dashboard.pages.page import done, explains_refusals
from dashboard.pages.questions import Ask
from workers.models import Message


@access.acting()
@explains_refusals
def answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer a question by the id of an option, by words, or by both."""
    question = access.get_question(request.user, pk)
    said = request.POST.get("text", "").strip()
    option = request.POST.get("option", "")
    Ask(question).refuse_unknown(option)
    question.respond(option, said, request.user.get_username())
    worker = access.get_worker(request.user, question.worker_id)
    regions = (fragments.worker_attention, fragments.worker_head, fragments.worker_facts, fragments.card)
    changed = [build(worker) for build in regions]
    return done(request, *changed, fragments.nav(), to=reverse("worker", args=[worker.pk]))


@access.acting()
@explains_refusals
def messages(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell the agent something: at the end of its turn, or with `now` at once."""
    worker = access.get_worker(request.user, pk)
    said = request.POST.get("text", "").strip()
    Message.send(worker, said, request.user.get_username(), now="now" in request.POST)
    return done(request, fragments.worker_words(worker), to=reverse("worker-conversation", args=[pk]))
