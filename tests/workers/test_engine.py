"""One worker from its claim to its end: chunks, reviews, retries, failures, and what a chunk gets to see."""

import sys
from pathlib import Path

import pytest

from tests.support import make, processes
from tests.support.driving import OURS, attempts, driven, leftovers, outcomes
from workers.models import Attempt, Event, Worker, log_path
from workers.states import Reason, WorkerStatus

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher")]

SECOND_TIME = 'test "$SPECYARD_ATTEMPT" -ge 2'
KEEP_FINDINGS = "cp $SPECYARD_FINDINGS_FILE seen"


def accepted(*commands: object, directory: Path, **fields: object) -> Worker:
    """An accepted worker that works in place in the directory."""
    return make.worker(*commands, project=make.project(directory), **fields)  # type: ignore[arg-type]


def test_every_chunk_is_executed_in_order_and_the_worker_completes(tmp_path: Path) -> None:
    worker = driven(accepted("echo one > file", "cat file; echo two", directory=tmp_path))
    assert (worker.status, worker.reason, worker.error) == (WorkerStatus.COMPLETED, "", "")
    assert outcomes(worker) == ["passed", "passed"]
    assert (worker.passed, worker.failed, worker.skipped, worker.current) == (2, 0, 0, 2)
    assert worker.started_at is not None
    assert worker.completed_at is not None
    assert worker.started_at < worker.completed_at
    assert worker.last_line == "two"
    assert (worker.epoch, worker.incarnation) == (1, 1)
    second = Attempt.objects.get(chunk__ordinal=2)
    assert (second.number, second.status, second.exit_code) == (1, "passed", 0)
    assert (second.log_lines, second.log_bytes) == (2, 8)
    assert second.log_path.read_bytes() == b"one\ntwo\n"
    assert leftovers(worker) == []


def test_what_happened_stands_in_the_outbox_in_order(tmp_path: Path) -> None:
    worker = driven(accepted("true", directory=tmp_path))
    told = [(event.kind, event.data) for event in Event.objects.filter(worker_id=worker.pk)]
    assert [kind for kind, _ in told if kind != "worker_progress"] == [
        "worker_started",
        "worker_started",
        "worker_completed",
    ]
    assert told[0][1]["status"] == "idle"
    assert told[1][1]["status"] == "running"
    assert told[-1][1]["status"] == "completed"
    assert [data["outcome"] for _, data in told if "outcome" in data] == ["passed"]


def test_a_failed_attempt_is_followed_by_one_that_reads_its_findings(tmp_path: Path) -> None:
    first_time = "test -z $SPECYARD_FINDINGS_FILE && echo the wall is blue; exit 3"
    command = f"{SECOND_TIME} && {KEEP_FINDINGS} && exit; {first_time}"
    worker = driven(accepted(command, directory=tmp_path))
    assert worker.status == WorkerStatus.COMPLETED
    assert attempts(worker) == [(1, 1, "failed", "command_failed"), (1, 2, "passed", "")]
    first = Attempt.objects.get(number=1)
    assert (first.exit_code, first.message) == (3, "The command ended with exit code 3.")
    assert (tmp_path / "seen").read_text() == first.findings
    assert first.findings == "The command ended with exit code 3.\n\nthe wall is blue"
    assert (worker.passed, worker.failed) == (1, 0)


def test_a_failed_review_hands_its_findings_to_the_next_attempt(tmp_path: Path) -> None:
    command = f"echo painting; {SECOND_TIME} && {KEEP_FINDINGS}; true"
    review = f"{SECOND_TIME} || {{ echo needs more paint; exit 1; }}"
    worker = driven(accepted(command, directory=tmp_path, review=review))
    assert worker.status == WorkerStatus.COMPLETED
    assert attempts(worker) == [(1, 1, "failed", "review_failed"), (1, 2, "passed", "")]
    assert "needs more paint" in (tmp_path / "seen").read_text()
    first = Attempt.objects.get(number=1)
    assert first.reviewed_at is not None
    assert first.log_path.read_text().splitlines() == ["painting", "── review ──", "needs more paint"]
    assert first.log_lines == 3


def test_what_failed_is_not_reviewed(tmp_path: Path) -> None:
    worker = driven(accepted("false", directory=tmp_path, review="touch reviewed", max_attempts=1))
    assert attempts(worker) == [(1, 1, "failed", "command_failed")]
    assert not (tmp_path / "reviewed").exists()
    assert Attempt.objects.get().reviewed_at is None


def test_a_chunk_without_a_review_is_reviewed_as_the_project_says(tmp_path: Path) -> None:
    project = make.project(tmp_path, review_command="test -e painted")
    worker = driven(make.worker("true", project=project, max_attempts=1))
    assert attempts(worker) == [(1, 1, "failed", "review_failed")]


def test_a_chunk_fails_for_good_after_as_many_attempts_as_allowed(tmp_path: Path) -> None:
    worker = driven(accepted("echo again >> tries; exit 4", directory=tmp_path, max_attempts=2))
    assert (tmp_path / "tries").read_text().split() == ["again"] * 2
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.CHUNK_FAILED)
    assert worker.error == "Chunk 1: The command ended with exit code 4."
    assert (worker.passed, worker.failed) == (0, 1)
    assert leftovers(worker) == []


def test_after_a_failed_chunk_nothing_more_is_begun(tmp_path: Path) -> None:
    worker = driven(accepted("true", "false", "touch third", directory=tmp_path, max_attempts=1))
    assert outcomes(worker) == ["passed", "failed", "pending"]
    assert not (tmp_path / "third").exists()
    assert (worker.status, worker.reason, worker.current) == (WorkerStatus.FAILED, Reason.CHUNK_FAILED, 2)


def test_with_continue_the_rest_is_done_except_for_what_depends_on_the_failure(tmp_path: Path) -> None:
    worker = driven(
        accepted(
            "false",
            {"run": "touch second", "depends_on": ["c1"]},
            {"run": "touch third", "depends_on": ["c2"]},
            {"run": "touch fourth"},
            {"run": "touch fifth", "depends_on": ["c4"]},
            directory=tmp_path,
            max_attempts=1,
            on_failure="continue",
        )
    )
    assert outcomes(worker) == ["failed", "skipped", "skipped", "passed", "passed"]
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.CHUNKS_FAILED)
    assert (worker.passed, worker.failed, worker.skipped) == (2, 1, 2)
    assert worker.error.startswith("Chunk 1: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifth", "fourth"]


def test_an_executor_that_is_not_installed_fails_the_chunk_by_name(tmp_path: Path) -> None:
    worker = driven(accepted({"executor": "teleporter"}, directory=tmp_path, max_attempts=1))
    assert attempts(worker) == [(1, 1, "failed", "bad_params")]
    assert "there is no 'teleporter'" in worker.error


def test_parameters_that_the_executor_does_not_take_fail_the_chunk_by_field(tmp_path: Path) -> None:
    worker = driven(accepted({"params": {"run": "true", "speed": 9}}, directory=tmp_path, max_attempts=1))
    assert attempts(worker) == [(1, 1, "failed", "bad_params")]
    assert "speed" in worker.error


def test_a_command_longer_than_the_system_allows_fails_with_a_reason(tmp_path: Path) -> None:
    """A long message to the runner takes several writes; that is no sign of a dead runner."""
    worker = driven(accepted("sleep 0.1", "# " + "x" * 3_000_000, directory=tmp_path, max_attempts=1))
    assert attempts(worker) == [(1, 1, "passed", ""), (2, 1, "failed", "bad_params")]
    assert "longer than the system allows" in worker.error


def test_a_chunk_ends_at_its_time_limit(tmp_path: Path) -> None:
    worker = accepted("echo begun; sleep 60", directory=tmp_path, max_attempts=1)
    worker.chunks.update(timeout=1)
    worker = driven(worker)
    assert attempts(worker) == [(1, 1, "failed", "time_limit")]
    assert worker.error == "Chunk 1: It ran longer than its limit of 1 s."
    assert leftovers(worker) == []


def test_a_review_has_the_time_limit_too(tmp_path: Path) -> None:
    worker = accepted("true", directory=tmp_path, max_attempts=1, review="sleep 60")
    worker.chunks.update(timeout=1)
    assert attempts(driven(worker)) == [(1, 1, "failed", "time_limit")]


def test_a_chunk_sees_who_it_is_and_nothing_of_ours(tmp_path: Path) -> None:
    project = make.project(tmp_path, environment={"COLOUR": "blue"})
    chunk = {"run": "env > seen-$SPECYARD_ATTEMPT; test $SPECYARD_ATTEMPT = 2", "key": "paint"}
    worker = driven(make.worker(chunk, project=project))
    first, second = (_variables(tmp_path / f"seen-{number}") for number in (1, 2))
    assert first["COLOUR"] == "blue"
    assert first["SPECYARD_WORKER"] == str(worker.pk)
    assert first["SPECYARD_CHUNK"] == "paint"
    assert first["SPECYARD_WORKSPACE"] == first["PWD"] == str(tmp_path)
    assert "SPECYARD_FINDINGS_FILE" not in first
    assert not Path(second["SPECYARD_FINDINGS_FILE"]).exists()  # it is removed after the attempt
    assert not OURS.keys() & first.keys()
    assert not [value for value in first.values() if "secret" in value]
    assert str(Path(sys.prefix, "bin")) not in first["PATH"].split(":")
    ours = {name for name in first if name.startswith("SPECYARD_")}
    assert ours == {f"SPECYARD_{name}" for name in ("WORKER", "CHUNK", "ATTEMPT", "WORKSPACE", "RUN")}


def _variables(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_the_teardown_command_runs_once_after_the_last_chunk_whatever_became_of_it(tmp_path: Path) -> None:
    project = make.project(tmp_path, teardown_command="echo down >> order; exit 7")
    passed = driven(make.worker(spec=make.spec("echo work >> order", project=project)))
    assert passed.status == WorkerStatus.COMPLETED
    failed = driven(make.worker(spec=make.spec("exit 1", project=project, max_attempts=1)))
    assert failed.status == WorkerStatus.FAILED
    assert processes.lines(tmp_path / "order") == ["work", "down", "down"]
    assert "── teardown ──" in log_path(passed, 0).read_text()
