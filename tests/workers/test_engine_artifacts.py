"""Artifacts of attempts that pass, fail and are tried again: real runs."""

from pathlib import Path

import pytest
from django.conf import settings

from tests.support import make
from tests.support.driving import attempts, driven, leftovers
from tests.support.repository import repository
from workers.models import Artifact, Attempt, TestReport
from workers.states import WorkerStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher")]

FAILING = (
    "<testsuite><testcase classname='walls' name='blue' time='2'><failure message='it is red'/></testcase></testsuite>"
)
PASSING = "<testsuite><testcase classname='walls' name='blue' time='1'/></testsuite>"
COMMAND = f"""mkdir -p out; echo "attempt $SPECYARD_ATTEMPT" >out/log.txt
if test "$SPECYARD_ATTEMPT" -ge 2; then echo "{PASSING}" >report.xml; else echo "{FAILING}" >report.xml; exit 1; fi"""


def test_every_attempt_keeps_its_own_the_failed_one_too(tmp_path: Path) -> None:
    chunk = {"run": COMMAND, "artifacts": ["out", "report.xml", "*.zip"]}
    source = repository(tmp_path / "project")
    worker = driven(make.worker(chunk, project=make.project(source, isolation="worktree"), review="rm -rf out/none"))
    assert (worker.status, worker.error) == (WorkerStatus.COMPLETED, "")
    assert attempts(worker) == [(1, 1, "failed", "command_failed"), (1, 2, "passed", "")]
    for attempt in Attempt.objects.order_by("number"):
        kept = {one.path: one for one in attempt.artifacts.all()}
        assert list(kept) == ["out/log.txt", "report.xml"]
        assert kept["out/log.txt"].file.read_text() == f"attempt {attempt.number}\n"
        assert kept["out/log.txt"].file.is_relative_to(settings.SPECYARD.data / "artifacts" / worker.folder)
        assert (kept["out/log.txt"].kind, kept["report.xml"].kind) == ("file", "junit")
        assert attempt.left_out == [{"path": "*.zip", "why": "nothing matches"}]
        assert attempt.log_bytes == attempt.log_path.stat().st_size
        assert "2 artifacts kept; *.zip: nothing matches" in attempt.log_path.read_text()
    failed, passed = TestReport.objects.order_by("artifact__attempt__number")
    assert (failed.tests, failed.failures, failed.seconds) == (1, 1, 2.0)
    assert failed.cases == [{"name": "blue", "suite": "walls", "outcome": "failed", "message": "it is red"}]
    assert (passed.tests, passed.failures, passed.cases) == (1, 0, [])
    assert leftovers(worker) == []


def test_the_plan_says_what_is_kept_whatever_happens_to_the_spec(tmp_path: Path) -> None:
    worker = make.worker({"run": "echo 1 >a; echo 2 >b", "artifacts": ["a"]}, project=make.project(tmp_path))
    worker.spec.chunks.update(artifacts=["b"])
    driven(worker)
    assert [one.path for one in Artifact.objects.all()] == ["a"]


def test_a_chunk_that_declares_nothing_leaves_nothing(tmp_path: Path) -> None:
    worker = driven(make.worker("echo 1 >a", project=make.project(tmp_path)))
    assert not Artifact.objects.exists()
    assert not (settings.SPECYARD.data / "artifacts" / worker.folder).exists()


def test_that_they_cannot_be_kept_changes_no_outcome(tmp_path: Path) -> None:
    home = settings.SPECYARD.data / "artifacts"
    worker = make.worker({"run": "echo 1 >a", "artifacts": ["a"]}, project=make.project(tmp_path))
    home.mkdir(exist_ok=True)
    (home / worker.folder).write_text("in the way")
    worker = driven(worker)
    (home / worker.folder).unlink()
    assert worker.status == WorkerStatus.COMPLETED
    [said] = Attempt.objects.get().left_out
    assert "could not be kept" in said["why"]


def test_what_was_kept_is_recorded_once(tmp_path: Path) -> None:
    worker = make.worker({"artifacts": ["a"]}, project=make.project(tmp_path))
    claimed = type(worker).claim(worker.pk, worker.epoch)
    assert claimed is not None
    attempt = Attempt.open(claimed, claimed.chunks.get())
    facts = {"path": "a.xml", "size": 1, "sha256": "0" * 64, "kind": "junit"}
    counts = {"tests": 1, "failures": 0, "errors": 0, "skipped": 0, "seconds": 0.0, "cases": []}
    for _ in range(2):  # an owner that takes over does it again
        attempt.kept(claimed, [facts], [{"path": "a.xml", **counts}], [], more=3)
    assert Artifact.objects.count() == TestReport.objects.count() == 1
    assert attempt.left_out == [{"path": "", "why": "3 more are left out"}]
