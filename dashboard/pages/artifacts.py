"""The page of what an attempt has left: its tests, its files, and what could not be kept."""

from django.http import HttpRequest, HttpResponse

from dashboard import access, artifacts
from dashboard.pages.page import show
from workers.models import TestReport
from workers.states import ArtifactKind


@access.looking()
def index(request: HttpRequest, pk: int) -> HttpResponse:
    """All of it."""
    attempt = access.get_attempt(request.user, pk)
    context = {
        "attempt": attempt,
        "worker": access.get_worker(request.user, attempt.chunk.worker_id),
        "artifacts": list(attempt.artifacts.all()),
        "junit": ArtifactKind.JUNIT,
        "reports": list(TestReport.objects.filter(artifact__attempt=attempt).select_related("artifact")),
        "tests": artifacts.tests_of([pk]).get(pk),
    }
    return show(request, "artifacts/index.html", context)


@access.looking()
def download(request: HttpRequest, pk: int) -> HttpResponse:
    """The file."""
    return artifacts.file_of(access.get_artifact(request.user, pk))  # type: ignore[return-value]
