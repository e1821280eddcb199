"""Workers: the list of active ones, one worker's page, and what operators ask of them."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from dashboard import access
from dashboard.pages import attempts, fragments
from dashboard.pages.cards import active_workers
from dashboard.pages.fragments import Fragment
from dashboard.pages.page import done, explains_refusals, go, refused, show
from dashboard.pages.tabs import show_tab
from dashboard.pages.words import count
from queue_app import dispatch
from workers.errors import StaleTransition
from workers.models import Worker


@access.looking()
def home(request: HttpRequest) -> HttpResponse:
    """The workers are the home page."""
    return redirect("workers")


@access.looking()
def index(request: HttpRequest) -> HttpResponse:
    """Slots, cards, queue, and what has just finished."""
    regions = {fragment.target.replace("-", "_"): fragment for fragment in fragments.workers_regions()}
    return show(request, "workers/index.html", {"regions": regions}, section="workers", topic="workers")


@access.looking()
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One worker: facts, timeline, log."""
    worker = access.get_worker(request.user, pk)
    attempt = attempts.chosen(worker, request.GET.get("attempt", ""))
    return show_tab(request, worker, "log", "workers/detail.html", {"attempt": attempt})


@access.acting("POST", "DELETE")
@explains_refusals
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    """POST asks for a pause, DELETE takes it back."""
    worker = access.get_worker(request.user, pk)
    ask = worker.request_pause if request.method == "POST" else worker.request_resume
    ask(request.user.get_username())
    return done(request, *_regions(worker))


@access.acting()
@explains_refusals
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """The same as DELETE on the pause, for plain forms."""
    worker = access.get_worker(request.user, pk)
    worker.request_resume(request.user.get_username())
    return done(request, *_regions(worker))


@access.acting()
@explains_refusals
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask that everything of the worker ends."""
    worker = access.get_worker(request.user, pk)
    worker.request_stop(request.user.get_username())
    return done(request, *_regions(worker))


@access.acting()
@explains_refusals
def requeue(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop it and let its spec wait again."""
    worker = access.get_worker(request.user, pk)
    if not worker.is_active:
        return refused(request, f"Worker {pk} has already ended.")
    dispatch.requeue(worker, request.user.get_username())
    worker.refresh_from_db()
    return done(request, *_regions(worker), fragments.queue_panel(), said=f"{worker.title} waits in the queue again")


@access.acting()
@explains_refusals
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Go on at the first chunk that has not passed, in a new worker or after waiting for a slot."""
    worker = access.get_worker(request.user, pk)
    result = dispatch.retry(worker, request.user.get_username())
    if isinstance(result, Worker):
        return go(request, reverse("worker", args=[result.pk]))
    return done(request, *_regions(worker), fragments.queue_panel(), said=f"{worker.title} waits in the queue")


@access.acting()
def pause_all(request: HttpRequest) -> HttpResponse:
    """Ask every active worker to pause."""
    return _all(request, lambda worker, by: worker.request_pause(by), "pause")


@access.acting()
def resume_all(request: HttpRequest) -> HttpResponse:
    """Ask every paused worker to go on."""
    return _all(request, lambda worker, by: worker.request_resume(by), "go on")


@access.acting()
def stop_all(request: HttpRequest) -> HttpResponse:
    """Ask every active worker to end."""
    return _all(request, lambda worker, by: worker.request_stop(by), "end")


def _all(request: HttpRequest, ask: Callable[[Worker, str], None], verb: str) -> HttpResponse:
    asked = 0
    for worker in active_workers():
        try:
            ask(worker, request.user.get_username())
            asked += 1
        except StaleTransition:  # it ends, or has just ended: then there is nothing to ask for
            continue
    regions = (fragments.active(), fragments.controls(), fragments.meter())
    return done(request, *regions, said=f"Asked {count(asked, 'worker')} to {verb}")


def _regions(worker: Worker) -> list[Fragment]:
    """What a wish changes on either page; the browser ignores regions that it does not show."""
    return [fragments.card(worker), fragments.controls(), fragments.worker_head(worker)]
