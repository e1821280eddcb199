"""What a worker has changed on its branch, and what shall become of that."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.vary import vary_on_headers

from dashboard import access
from dashboard.pages import fragments
from dashboard.pages.changed import Listing, Row, Span, View, listing_of, spans_of, whole_of
from dashboard.pages.page import done, explains_refusals, go, show
from dashboard.pages.tabs import show_tab
from workers import branches, diffs
from workers.diffs import Totals
from workers.git import GitFailed
from workers.models import Landing, Worker
from workers.states import LandingKind

NOTHING = Totals(0, 0, 0)


@dataclass(frozen=True)
class Found:
    """What `workers/_changes.html` draws: lists of files, or why there are none."""

    view: View
    spans: list[Span]
    whole: Span
    listings: list[Listing]
    totals: Totals = NOTHING
    error: str = ""


@access.looking()
@vary_on_headers("HX-Request")
def index(request: HttpRequest, pk: int) -> HttpResponse:
    """The files that the whole worker has changed, or each chunk, or one (`?chunk=3`); htmx gets the list alone."""
    worker = access.get_worker(request.user, pk)
    names = {field.name for field in fields(View)} - {"worker"}
    view = View(worker, **{name: request.GET.get(name, "") for name in names})
    context = {"worker": worker, "found": _find(view)}
    if request.headers.get("HX-Request"):
        return render(request, "workers/_changes.html", context)
    return show_tab(request, worker, "changes", "workers/changes.html", context)


def _find(view: View) -> Found:
    spans = spans_of(view.worker) if view.worker.branch else []
    whole = whole_of(view.worker, spans)
    chosen = [span for span in spans if span.chunk and view.by == "chunk" and not view.chunk]
    if view.chunk:
        chosen = [span for span in spans if span.chunk and str(span.chunk.ordinal) == view.chunk]
    try:
        if not view.is_whole:
            listings = [listing_of(span, view, {}) for span in chosen]
            return Found(view, spans, whole, listings, chosen[0].totals if view.chunk and chosen else whole.totals)
        touched = diffs.touched(whole.directory, whole.old, [span.new for span in spans])
        chunks = {path: [spans[at].chunk.ordinal for at in found] for path, found in touched.items()}
        return Found(view, spans, whole, [listing_of(whole, view, chunks)], whole.totals)
    except GitFailed as error:
        return Found(view, spans, whole, [], error=str(error))


@access.looking()
def count(request: HttpRequest, pk: int) -> HttpResponse:
    """How much the whole worker has changed, as its tab says it."""
    worker = access.get_worker(request.user, pk)
    whole = whole_of(worker, spans_of(worker))
    try:
        totals = whole.totals
    except GitFailed:
        return HttpResponse(status=204)  # the list of files says why
    return render(request, "workers/_changes_count.html", {"fragment": {"span": whole, "totals": totals}})


@access.looking()
def patch(request: HttpRequest, pk: int) -> HttpResponse:
    """The lines of one file that differ; with `raw` its patch, or that of all files, as a file to keep."""
    worker = _with_branch(request, pk)
    known = {worker.base_commit, *worker.chunks.values_list("commit", flat=True)} - {""}
    old, new, path = (request.GET.get(name, "") for name in ("old", "new", "path"))
    if not {old, new} <= known:
        raise Http404
    span = Span(worker, old, new)
    try:
        change = span.find(path)
        if path and change is None:
            raise Http404
        if request.GET.get("raw"):
            return _download(span, change)
    except GitFailed as error:
        return render(request, "workers/_patch.html", {"error": str(error)})
    if change is None:
        raise Http404
    row = Row(span, change, View(worker, layout=request.GET.get("layout", "")), {})
    return render(request, "workers/_patch.html", {"shown": row.opened().shown})


def _download(span: Span, change: diffs.Change | None) -> FileResponse:
    with ExitStack() as until_it_is_written:
        file = until_it_is_written.enter_context(tempfile.TemporaryFile())
        diffs.write_patch(span.directory, file, span.old, span.new, change)
        until_it_is_written.pop_all()  # the reply closes it
    file.seek(0)
    name = f"worker-{span.worker.pk}-{span.old[:10]}-{span.new[:10]}.patch"
    return FileResponse(file, as_attachment=True, filename=name, content_type="text/x-diff; charset=utf-8")


@access.acting()
@explains_refusals
def merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask that the branch is merged into its base."""
    worker = _with_branch(request, pk)
    Landing.ask(worker, LandingKind.MERGE, by=request.user.get_username())
    regions = (
        fragments.worker_head(worker),
        fragments.worker_facts(worker),
        fragments.card(worker),
        fragments.finished(),
    )
    return done(request, *regions, said=f"Merging {worker.branch}")


@access.acting("GET", "POST")
@explains_refusals
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """GET lists what would be lost, POST asks that branch and worktree are removed."""
    worker = _with_branch(request, pk)
    if request.method == "POST":
        Landing.ask(worker, LandingKind.DISCARD, by=request.user.get_username())
        return go(request, reverse("worker", args=[pk]))
    context: dict[str, Any] = {"worker": worker}
    try:
        context["loss"] = branches.loss(worker.project.directory, worker.workspace, worker.branch)
    except GitFailed as error:
        context["error"] = str(error)
    return show(request, "workers/discard.html", context, section="workers")


def _with_branch(request: HttpRequest, pk: int) -> Worker:
    worker = access.get_worker(request.user, pk)
    if not worker.branch:
        raise Http404
    return worker
