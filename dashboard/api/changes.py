"""What a worker has changed on its branch, by file and as a patch; merging and discarding it."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.http import FileResponse, Http404, HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from dashboard import access
from dashboard.api.authentication import ACTING
from dashboard.api.extras import GIT, both, sent_as
from dashboard.pages.patches import patch_file
from dashboard.pages.words import visible
from workers import branches
from workers.diffs import Change
from workers.models import Landing, Worker
from workers.spans import Span, spans_of, whole_of
from workers.states import LandingKind

router = Router(tags=["changes"])
MOST_FILES = 1000  # of one answer
PATCH = both(sent_as("text/x-diff"), GIT)


class Which(Schema):
    """Whose changes: the whole worker's, or those of one chunk that has passed."""

    chunk: int | None = Field(None, ge=1, lt=2**31, description="Counted from 1; the whole worker without.")


class WhichFile(Which):
    """Whose changes, and which of them."""

    file: str = Field("", max_length=64, description="The key of one file; all files without.")


class File(Schema):
    """One file that differs."""

    key: str = Field(description="Names the file in `diff`; a path may hold bytes that no text can hold.")
    path: str = Field(description="As text; what is no text or is not seen is escaped, for example caf\\351.")
    was: str = Field(description="Its path before; the same unless it was renamed.")
    kind: str = Field(description="added, deleted, modified, renamed or retyped (a file has become a link, say).")
    added: int | None = Field(description="Lines added; null for a binary file.")
    removed: int | None = Field(description="Lines removed; null for a binary file.")
    is_binary: bool

    @staticmethod
    def of(change: Change) -> dict[str, Any]:
        return {
            "key": change.key,
            "path": change.path,
            "was": change.was,
            "kind": change.kind.name.lower(),
            "added": change.added,
            "removed": change.removed,
            "is_binary": change.is_binary,
        }


class Totals(Schema):
    """How much differs."""

    files: int
    added: int
    removed: int


class Changes(Schema):
    """The files that differ between two commits of a worker's branch."""

    branch: str
    old: str = Field(description="The commit before.")
    new: str = Field(description="The commit after.")
    totals: Totals
    files: list[File] = Field(description=f"By path, {MOST_FILES} at most.")
    left_out: int = Field(description="How many files more there are; the patch has them all.")


class Conflict(Schema):
    """A file that could not be merged."""

    path: str
    detail: str = Field(description="What happened to it on both sides.")


class LandingOut(Schema):
    """One try at merging or discarding a branch; the worker's node carries it out."""

    id: int
    worker: int = Field(alias="worker_id")
    kind: str = Field(description="merge or discard.")
    state: str = Field(description="under_way, done or failed.")
    asked_by: str
    asked_at: datetime
    done_at: datetime | None
    commit: str = Field(description="Where the base stands after a merge.")
    error: str = Field(alias="complaint", description="Why it has failed; then everything is as it was.")
    conflicts: list[Conflict] = Field(description="Files that could not be merged.")

    @staticmethod
    def resolve_state(landing: Landing) -> str:
        """What has become of it."""
        return "under_way" if landing.done_at is None else "failed" if landing.error else "done"

    @staticmethod
    def resolve_conflicts(landing: Landing) -> list[dict[str, str]]:
        """The files that were in the way."""
        return [{"path": path, "detail": what} for path, what in landing.conflicts]


class LossOut(Schema):
    """What a discard would lose: nobody could get it back."""

    commits: list[str] = Field(description="Commits that only this branch holds.")
    files: list[str] = Field(description="Files that are in no commit.")
    repositories: list[str] = Field(description="What repositories inside the workspace hold that no remote has.")


@router.get("/workers/{int:id}/changes", response=Changes, summary="List changed files", openapi_extra=GIT)
def list_changes(request: HttpRequest, id: int, which: Query[Which]) -> dict[str, Any]:
    """The files that the worker, or one chunk of it, has changed, with the lines added and removed."""
    span = _span(request, id, which)
    return {
        "branch": span.worker.branch,
        "old": span.old,
        "new": span.new,
        "totals": span.totals,
        "files": [File.of(change) for change in span.files[:MOST_FILES]],
        "left_out": max(span.totals.files - MOST_FILES, 0),
    }


@router.get("/workers/{int:id}/diff", summary="Get the patch", openapi_extra=PATCH)
def get_diff(request: HttpRequest, id: int, which: Query[WhichFile]) -> FileResponse:
    """Everything that the worker, one chunk, or one file of these has changed, as `git apply` takes it."""
    span = _span(request, id, which)
    change = span.find(which.file) if which.file else None
    if which.file and change is None:
        raise Http404("No file of these changes has that key.")
    return patch_file(span, change)


@router.get("/workers/{int:id}/landings", response=list[LandingOut], summary="List merges and discards")
def list_landings(request: HttpRequest, id: int) -> Any:
    """The tries at merging or discarding the branch, the latest first."""
    return _with_branch(request, id).landings.all()


@router.post("/workers/{int:id}/merge", auth=ACTING, response={202: LandingOut}, summary="Merge the branch")
def merge(request: HttpRequest, id: int) -> Status[Landing]:
    """Ask that the branch is merged into its base. Conflicts are told by the landing; nothing is left half done."""
    return _land(request, id, LandingKind.MERGE)


@router.get("/workers/{int:id}/discard", response=LossOut, summary="List what a discard would lose", openapi_extra=GIT)
def get_loss(request: HttpRequest, id: int) -> dict[str, list[str]]:
    """What only this branch and its worktree hold."""
    worker = _with_branch(request, id)
    loss = branches.loss(worker.project.directory, worker.workspace, worker.branch)
    return {name: [visible(text) for text in texts] for name, texts in vars(loss).items()}


@router.post("/workers/{int:id}/discard", auth=ACTING, response={202: LandingOut}, summary="Discard the branch")
def discard(request: HttpRequest, id: int) -> Status[Landing]:
    """Ask that branch and worktree are removed, whatever they hold: see first what would be lost."""
    return _land(request, id, LandingKind.DISCARD)


def _land(request: HttpRequest, pk: int, kind: LandingKind) -> Status[Landing]:
    worker = _with_branch(request, pk)
    return Status(HTTPStatus.ACCEPTED, Landing.ask(worker, kind, by=request.user.get_username()))


def _span(request: HttpRequest, pk: int, which: Which) -> Span:
    worker = _with_branch(request, pk)
    if which.chunk is None:
        return whole_of(worker)
    for span in spans_of(worker):
        if span.chunk is not None and span.chunk.ordinal == which.chunk:
            return span
    raise Http404(f"Chunk {which.chunk} of worker {pk} has committed nothing.")


def _with_branch(request: HttpRequest, pk: int) -> Worker:
    worker = access.get_worker(request.user, pk)
    if not worker.branch:
        raise Http404(f"Worker {pk} has no branch of its own.")
    return worker
