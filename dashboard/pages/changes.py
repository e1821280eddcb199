"""What a worker has changed on its branch, and what shall become of that."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from dashboard import access
from dashboard.pages import fragments
from dashboard.pages.page import done, explains_refusals, go, show
from dashboard.pages.tabs import show_tab
from workers import branches
from workers.branches import CannotLand, Change
from workers.models import Landing, Worker, WorkerChunk
from workers.states import LandingKind

OPEN_AT_FIRST = 3  # files whose changes are shown without a click
KINDS = {"+": "added", "-": "removed", "@": "hunk", "\\": "note"}


@dataclass(frozen=True)
class Changes:
    """The files that a worker, or one of its chunks, has changed; or why they cannot be listed."""

    worker: Worker
    old: str
    new: str
    chunk: WorkerChunk | None = None

    @cached_property
    def files(self) -> list[Change]:
        return branches.changes(self.worker.project.directory, self.old, self.new) if self.old != self.new else []

    @cached_property
    def error(self) -> str:
        """Why git cannot say; "" when it can."""
        try:
            _ = self.files
        except CannotLand as error:
            return str(error)
        return ""

    @property
    def added(self) -> int:
        return sum(file.added or 0 for file in self.files)

    @property
    def removed(self) -> int:
        return sum(file.removed or 0 for file in self.files)

    @property
    def rows(self) -> list[tuple[Change, str, bool]]:
        """(file, address of its changes, whether they are shown at once)."""
        base = reverse("worker-patch", args=[self.worker.pk])
        ends = {"old": self.old, "new": self.new}
        return [
            (file, f"{base}?{urlencode({**ends, 'path': file.path}, errors='surrogateescape')}", at < OPEN_AT_FIRST)
            for at, file in enumerate(self.files)
        ]


def steps(worker: Worker) -> list[tuple[WorkerChunk, str, str]]:
    """(chunk, where the branch stood before, where after) of every chunk that has passed."""
    passed = [chunk for chunk in worker.chunks.order_by("ordinal") if chunk.commit]
    ends = [worker.base_commit, *(chunk.commit for chunk in passed)]
    return [(chunk, old, new) for chunk, (old, new) in zip(passed, pairwise(ends), strict=True)]


@access.looking()
def index(request: HttpRequest, pk: int) -> HttpResponse:
    """The changes of the whole worker, or of one chunk (`?chunk=3`)."""
    worker = access.get_worker(request.user, pk)
    done_steps = steps(worker) if worker.branch else []
    wanted = request.GET.get("chunk", "")
    chosen = next((step for step in done_steps if str(step[0].ordinal) == wanted), None)
    last = done_steps[-1][2] if done_steps else worker.base_commit
    changes = Changes(worker, chosen[1], chosen[2], chosen[0]) if chosen else Changes(worker, worker.base_commit, last)
    return show_tab(request, worker, "changes", "workers/changes.html", {"changes": changes, "steps": done_steps})


@access.looking()
def patch(request: HttpRequest, pk: int) -> HttpResponse:
    """The changes of one file, line by line."""
    worker = _with_branch(request, pk)
    known = {worker.base_commit, *worker.chunks.values_list("commit", flat=True)}
    old, new, path = (request.GET.get(name, "") for name in ("old", "new", "path"))
    if not {old, new} <= known - {""}:
        raise Http404
    try:
        text = branches.patch(worker.project.directory, old, new, path)
    except CannotLand as error:
        return render(request, "workers/_patch.html", {"error": str(error)})
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith("@@")), None)
    shown = lines[start:] if start is not None else [line for line in lines if line.startswith("Binary")]
    rows = [(KINDS.get(line[:1], "same"), line) for line in shown]
    return render(request, "workers/_patch.html", {"rows": rows, "is_too_long": not text})


@access.acting()
@explains_refusals
def merge(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask that the branch is merged into its base."""
    worker = _with_branch(request, pk)
    Landing.ask(worker, LandingKind.MERGE, by=request.user.get_username())
    return done(request, fragments.worker_head(worker), fragments.worker_facts(worker))


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
    except CannotLand as error:
        context["error"] = str(error)
    return show(request, "workers/discard.html", context, section="workers")


def _with_branch(request: HttpRequest, pk: int) -> Worker:
    worker = access.get_worker(request.user, pk)
    if not worker.branch:
        raise Http404
    return worker
