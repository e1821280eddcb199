"""Workers: the list of active ones, one worker's page, and what operators ask of them."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from dashboard import access
from dashboard.pages import attempts, fragments
from dashboard.pages.fragments import Fragment
from dashboard.pages.page import done, explains_refusals, go, refused, show
from dashboard.pages.tabs import show_tab
from dashboard.pages.words import count
from queue_app import bulk, dispatch
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


@access.looking("GET", "HEAD", "DELETE")
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: one worker with its facts, timeline and log. DELETE: see `remove`."""
    if request.method == "DELETE":
        return remove(request, pk)
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


@access.acting("DELETE")
@explains_refusals
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask that it ends and leaves the list of active workers; what it did stays in the history."""
    worker = access.get_worker(request.user, pk)
    worker.request_removal(request.user.get_username())
    said = f"Worker {pk} leaves the list as soon as it has ended" if worker.is_active else f"Worker {pk} was removed"
    return done(request, fragments.active(), fragments.controls(), fragments.worker_head(worker), said=said)


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
    return _all(request, "pause", "pause")


@access.acting()
def resume_all(request: HttpRequest) -> HttpResponse:
    """Ask every paused worker to go on."""
    return _all(request, "resume", "go on")


@access.acting()
def stop_all(request: HttpRequest) -> HttpResponse:
    """Ask every active worker to end."""
    return _all(request, "stop", "end")


def _all(request: HttpRequest, action: str, verb: str) -> HttpResponse:
    """Those that end, or have just ended, refuse: then there is nothing to ask for."""
    results = bulk.on_workers(action, request.user.get_username(), bulk.active_ids())
    asked = sum(result.outcome == "done" for result in results)
    regions = (fragments.active(), fragments.controls(), fragments.meter())
    return done(request, *regions, said=f"Asked {count(asked, 'worker')} to {verb}")


def _regions(worker: Worker) -> list[Fragment]:
    """What a wish changes on either page; the browser ignores regions that it does not show."""
    return [fragments.card(worker), fragments.controls(), fragments.worker_head(worker)]
