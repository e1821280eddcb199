"""Work for a yard of real processes, and waiting for what becomes of it."""

from pathlib import Path
from typing import Any

from queue_app import dispatch
from tests.support import make, processes
from tests.support.wait import until
from workers.models import Attempt, Worker
from workers.models.worker import IS_FINAL
from workers.states import AttemptStatus

COUNT = "i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo line $i; sleep 0.01; done"


def started(*commands: str, directory: Path, **fields: Any) -> Worker:
    """A worker that the yard has begun, in place in the directory."""
    spec = make.spec(*commands, project=make.project(directory), **fields)
    worker = dispatch.enqueue(spec, by="mira")
    assert isinstance(worker, Worker)
    return worker


def ended(worker: Worker, seconds: float = 40.0) -> Worker:
    """The worker, once it has ended."""
    return until(lambda: Worker.objects.filter(IS_FINAL, pk=worker.pk).first(), seconds, f"{worker} ends")


def attempt_that_wrote(worker: Worker, lines: int) -> Attempt:
    """The running attempt, once its log has so many lines."""

    def written() -> Attempt | None:
        attempt = Attempt.objects.filter(chunk__worker=worker, status=AttemptStatus.RUNNING).first()
        return attempt if attempt and len(processes.lines(attempt.log_path)) >= lines else None

    return until(written, what=f"{lines} lines of output")
