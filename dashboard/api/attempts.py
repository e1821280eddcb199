"""Attempts: one try at a chunk with its log, what its agent said and did, and what it changed."""

from pathlib import Path
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from dashboard import access, logs
from dashboard.api.extras import GIT, both, sent_as
from dashboard.api.paging import LARGEST
from dashboard.api.worker_shapes import AttemptOut
from dashboard.pages.patches import patch_file
from workers.models import Attempt
from workers.spans import spans_of
from workers.states import AttemptStatus

router = Router(tags=["attempts"])
LOG, TRANSCRIPT = "text/plain; charset=utf-8", "application/x-ndjson"
HEADERS = {
    "Specyard-Offset": {"description": "Where to go on (with `offset`).", "schema": {"type": "integer"}},
    "Specyard-Size": {"description": "How many bytes there are already.", "schema": {"type": "integer"}},
    "Specyard-Complete": {
        "description": "Whether this was the last part.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
}


class Part(Schema):
    """Which part of a file."""

    offset: int | None = Field(
        None,
        ge=-1,
        le=LARGEST,
        description="From this byte on, about 256 KiB in whole lines; -1: near the end. The whole file without.",
    )


@router.get("/attempts/{int:id}", response=AttemptOut, summary="Get an attempt")
def get_attempt(request: HttpRequest, id: int) -> AttemptOut:
    """One try at a chunk."""
    return AttemptOut.of(access.get_attempt(request.user, id))


@router.get(
    "/attempts/{int:id}/log", summary="Read the log of an attempt", openapi_extra=sent_as("text/plain", **HEADERS)
)
def get_attempt_log(request: HttpRequest, id: int, part: Query[Part]) -> Any:
    """What it has written, as it came. To follow it, ask with the `Specyard-Offset` of the last answer as `offset`."""
    attempt = access.get_attempt(request.user, id)
    return _sent(attempt, attempt.log_path, LOG, part, f"Attempt {id} has written nothing.")


@router.get(
    "/attempts/{int:id}/transcript",
    summary="Read what its agent said and did",
    openapi_extra=sent_as(TRANSCRIPT, **HEADERS),
)
def get_attempt_transcript(request: HttpRequest, id: int, part: Query[Part]) -> Any:
    """One JSON object a line. To follow it, ask with the `Specyard-Offset` of the answer before as `offset`."""
    attempt = access.get_attempt(request.user, id)
    return _sent(attempt, attempt.transcript_path, TRANSCRIPT, part, f"No agent has worked on attempt {id}.")


@router.get(
    "/attempts/{int:id}/diff",
    summary="Get what it changed as a patch",
    openapi_extra=both(sent_as("text/x-diff"), GIT),
)
def get_attempt_diff(request: HttpRequest, id: int) -> Any:
    """What it committed, as `git apply` takes it. 404 unless it has passed: only then something is committed."""
    attempt = access.get_attempt(request.user, id)
    worker = access.get_worker(request.user, attempt.chunk.worker_id)
    if attempt.status == AttemptStatus.PASSED and worker.branch:
        for span in spans_of(worker):
            if span.chunk is not None and span.chunk.pk == attempt.chunk_id:
                return patch_file(span, None)
    raise Http404(f"Attempt {id} has committed nothing.")


def _sent(attempt: Attempt, path: Path, content_type: str, part: Part, missing: str) -> Any:
    if part.offset is None:
        return logs.file_of(attempt, path, content_type, missing)
    found = logs.read(attempt, path, part.offset)
    headers = {
        "Specyard-Offset": str(found.offset),
        "Specyard-Size": str(found.size),
        "Specyard-Complete": str(found.complete).lower(),
        "Cache-Control": "no-store",
    }
    return HttpResponse(found.content, content_type=content_type, headers=headers)
