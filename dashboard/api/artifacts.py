"""What attempts have left: the files that their chunks declare, and how tests ended."""

from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field

from dashboard import access, artifacts
from dashboard.api.extras import sent_as
from dashboard.api.shapes import Shown
from workers.models import Artifact, TestReport
from workers.states import ArtifactKind

router = Router(tags=["attempts"])


class ArtifactOut(Shown):
    """A file that was copied out of the workspace when the attempt ended."""

    id: int
    path: str = Field(description="Where it was in the workspace; what cannot be seen in a name stands as an escape.")
    size: int = Field(description="Bytes.")
    sha256: str
    kind: ArtifactKind = Field(description="`junit` where it is a report of tests that could be read.")
    address: str = Field(description="Of the file itself.", examples=["/api/artifacts/12"])

    @classmethod
    def of(cls, artifact: Artifact) -> "ArtifactOut":
        """As it is."""
        return cls.copied(artifact, address=f"/api/artifacts/{artifact.pk}")


class LeftOut(Schema):
    """Something that was declared and is not kept."""

    path: str = Field(description="The file or the pattern; empty when it is about all.")
    why: str


class Artifacts(Schema):
    """All that an attempt has left: never so much that it comes in pages."""

    items: list[ArtifactOut]
    left_out: list[LeftOut]


class FailedCase(Schema):
    """A test that failed."""

    name: str
    suite: str
    outcome: Literal["failed", "error"]
    message: str = Field(description="The beginning of what it said.")


class Report(Shown):
    """What one file tells of tests."""

    artifact: int
    path: str
    tests: int
    failures: int
    errors: int
    skipped: int
    seconds: float
    cases: list[FailedCase] = Field(description="Those that failed: at most 100 of an attempt.")

    @classmethod
    def of(cls, report: TestReport) -> "Report":
        """As it is."""
        return cls.copied(report, artifact=report.artifact_id, path=report.artifact.path)


class TestsOut(Schema):
    """How the tests of an attempt ended, altogether and file by file."""

    tests: int
    failures: int
    errors: int
    skipped: int
    seconds: float
    reports: list[Report]


@router.get("/attempts/{int:id}/artifacts", response=Artifacts, summary="List the artifacts of an attempt")
def list_attempt_artifacts(request: HttpRequest, id: int) -> Any:
    """The files that its chunk declares, as far as they were there when it ended."""
    attempt = access.get_attempt(request.user, id)
    return {"items": [ArtifactOut.of(one) for one in attempt.artifacts.all()], "left_out": attempt.left_out}


@router.get("/artifacts/{int:id}", summary="Download an artifact", openapi_extra=sent_as("application/octet-stream"))
def download_artifact(request: HttpRequest, id: int) -> HttpResponse:
    """The file as it was. 404 also when it is not on this machine."""
    return artifacts.file_of(access.get_artifact(request.user, id))  # type: ignore[return-value]


@router.get("/attempts/{int:id}/tests", response=TestsOut, summary="Get the test results of an attempt")
def get_attempt_tests(request: HttpRequest, id: int) -> Any:
    """What its reports in JUnit's XML tell; zeros and an empty list without any."""
    attempt = access.get_attempt(request.user, id)
    reports = TestReport.objects.filter(artifact__attempt=attempt).select_related("artifact")
    total = artifacts.tests_of([id]).get(id, artifacts.Tests())
    return {**vars(total), "reports": [Report.of(report) for report in reports]}
