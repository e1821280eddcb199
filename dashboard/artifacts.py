"""What attempts have left, for pages and API: files to download, and how tests ended."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO

from django.db.models import Count, Sum
from django.http import FileResponse, Http404

from workers.models import Artifact, Attempt, TestReport

NOT_HERE = "This file is not on this machine any more, or on another one."


@dataclass(frozen=True)
class Tests:
    """How tests ended, all reports of an attempt together."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        """Those that failed, and those that broke."""
        return self.failures + self.errors


@dataclass(frozen=True)
class Left:
    """What an attempt has left, in numbers."""

    artifacts: int = 0
    tests: Tests | None = None
    left_out: int = 0


def tests_of(attempts: Iterable[int]) -> dict[int, Tests]:
    """By attempt, where there are reports: one query."""
    names = ("tests", "failures", "errors", "skipped", "seconds")
    found = TestReport.objects.filter(artifact__attempt__in=list(attempts)).order_by().values_list("artifact__attempt")
    return {pk: Tests(*sums) for pk, *sums in found.annotate(**{f"of_{name}": Sum(name) for name in names})}


def left_by(attempts: Iterable[Attempt]) -> dict[int, Left]:
    """By attempt, where there is something to say: two queries."""
    known = {attempt.pk: attempt for attempt in attempts}
    tests = tests_of(known)
    counted = Artifact.objects.filter(attempt__in=known).order_by().values_list("attempt").annotate(Count("pk"))
    counts = dict(counted)
    return {
        pk: Left(counts.get(pk, 0), tests.get(pk), len(attempt.left_out))
        for pk, attempt in known.items()
        if pk in counts or attempt.left_out
    }


def file_of(artifact: Artifact) -> FileResponse:
    """The file, to be kept and never shown: whatever is in it, a browser must not run it. Raises Http404."""
    response = FileResponse(
        _opened(artifact), as_attachment=True, filename=artifact.name, content_type="application/octet-stream"
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _opened(artifact: Artifact) -> IO[bytes]:
    path, home = artifact.file, artifact.attempt.artifacts_path
    try:
        if not path.resolve().is_relative_to(home.resolve()):  # whoever has put it there, it was not the runner
            raise Http404(NOT_HERE)
        return open(path, "rb", opener=_following_nothing)
    except (OSError, ValueError):
        raise Http404(NOT_HERE) from None


def _following_nothing(path: str, flags: int) -> int:
    """Open it; no link is followed, and a FIFO makes nobody wait."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
