"""What a worker has changed on its branch, and what shall become of that."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.vary import vary_on_headers

from dashboard import access
from dashboard.pages import fragments
from dashboard.pages.changed import Fold, Listing, Row, View, folds_of, listing_of
from dashboard.pages.page import done, explains_refusals, go, show
from dashboard.pages.patches import patch_file
from dashboard.pages.tabs import show_tab
from dashboard.pages.words import visible
from workers import branches, diffs
from workers.diffs import Totals
from workers.git import GitFailed
from workers.models import Landing, Worker
from workers.spans import Span, spans_of, whole_of
from workers.states import LandingKind

NOTHING = Totals(0, 0, 0)


@dataclass(frozen=True)
class Found:
    """What `workers/_changes.html` draws: lists of files, or chunks that can be opened, or why there are none."""

    view: View
    spans: list[Span]
    whole: Span
    listing: Listing | None = None
    folds: list[Fold] = field(default_factory=list)
    totals: Totals = NOTHING
    error: str = ""


@access.looking()
@vary_on_headers("HX-Request")
def index(request: HttpRequest, pk: int) -> HttpResponse:
    """The files that the whole worker has changed, or each chunk, or one (`?chunk=3`); htmx gets the list alone."""
    worker = access.get_worker(request.user, pk)
    context = {"worker": worker, "found": _find(_view(request, worker))}
    if request.headers.get("HX-Request"):
        return render(request, "workers/_changes.html", context)
    return show_tab(request, worker, "changes", "workers/changes.html", context)


def _view(request: HttpRequest, worker: Worker) -> View:
    names = {field.name for field in fields(View)} - {"worker"}
    return View(worker, **{name: request.GET.get(name, "") for name in names})


def _find(view: View) -> Found:
    spans = spans_of(view.worker)
    whole = whole_of(view.worker)
    try:
        if view.chunk:
            span = _chosen(spans, view)
            found = Found(view, spans, whole)
            return replace(found, listing=listing_of(span, view), totals=span.totals) if span else found
        if not view.is_whole:
            return Found(view, spans, whole, folds=folds_of(spans, view), totals=whole.totals)
        touched = diffs.touched(whole.directory, whole.old, [span.new for span in spans])
        chunks = {path: sorted(spans[at].chunk.ordinal for at in found) for path, found in touched.items()}
        return Found(view, spans, whole, listing_of(whole, view, chunks), totals=whole.totals)
    except GitFailed as error:
        return Found(view, spans, whole, error=str(error))


def _chosen(spans: Sequence[Span], view: View) -> Span | None:
    return next((span for span in spans if span.chunk and str(span.chunk.ordinal) == view.chunk), None)


@access.looking()
def files(request: HttpRequest, pk: int) -> HttpResponse:
    """The files of one chunk alone (`?chunk=3`), for a page that lists chunks."""
    view = _view(request, _with_branch(request, pk))
    span = _chosen(spans_of(view.worker), view)
    if span is None:
        raise Http404
    try:
        return render(request, "workers/_changes_files.html", {"listing": listing_of(span, view)})
    except GitFailed as error:
        return render(request, "workers/_patch.html", {"error": str(error)})


@access.looking()
def count(request: HttpRequest, pk: int) -> HttpResponse:
    """How much the whole worker has changed, as its tab says it."""
    worker = access.get_worker(request.user, pk)
    whole = whole_of(worker)
    try:
        totals = whole.totals
    except GitFailed:
        return HttpResponse(status=204)  # the list of files says why
    return render(request, "workers/_changes_count.html", {"fragment": {"span": whole, "totals": totals}})


@access.looking()
def patch(request: HttpRequest, pk: int) -> HttpResponse:
    """The lines of one file that differ; with `raw` its patch, or that of all files, as a file to keep."""
    worker = _with_branch(request, pk)
    known = {worker.base_commit, worker.head_commit, *worker.chunks.values_list("commit", flat=True)} - {""}
    old, new, key = (request.GET.get(name, "") for name in ("old", "new", "file"))
    if not {old, new} <= known:
        raise Http404
    span = Span(worker, old, new)
    try:
        change = span.find(key)
        if key and change is None:
            raise Http404
        if request.GET.get("raw"):
            return patch_file(span, change)
    except GitFailed as error:
        return render(request, "workers/_patch.html", {"error": str(error)})
    if change is None:
        raise Http404
    row = Row(span, change, View(worker, layout=request.GET.get("layout", "")), {})
    return render(request, "workers/_patch.html", {"shown": row.opened().shown})


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
        loss = branches.loss(worker.project.directory, worker.workspace, worker.branch)
        context["loss"] = replace(loss, commits=[visible(commit) for commit in loss.commits])
    except GitFailed as error:
        context["error"] = str(error)
    return show(request, "workers/discard.html", context, section="workers")


def _with_branch(request: HttpRequest, pk: int) -> Worker:
    worker = access.get_worker(request.user, pk)
    if not worker.branch:
        raise Http404
    return worker
