"""A worker in a git worktree: a branch of its own, a commit per passed chunk, and a clean start for every retry."""

from pathlib import Path

import pytest
from django.conf import settings

from specs.models import Project
from tests.support import make
from tests.support.driving import Background, attempts, driven, leftovers, now
from tests.support.repository import commit, git, repository
from workers.models import Attempt, Worker, accept, log_path
from workers.states import Reason, WorkerStatus
from workers.workspace import for_worker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("launcher")]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


def project(source: Path, **fields: object) -> Project:
    return make.project(source, isolation="worktree", **fields)


def commits(worker: Worker) -> list[str]:
    """The subjects of the branch's own commits, the oldest first."""
    return git(Path(worker.workspace), "log", "--reverse", "--format=%s", f"{worker.base_commit}..HEAD").splitlines()


def test_each_passed_chunk_is_a_commit_that_names_it(source: Path) -> None:
    base = git(source, "rev-parse", "HEAD")
    worker = driven(make.worker("echo two > a.txt", "true", "echo b > b.txt", project=project(source)))
    assert worker.status == WorkerStatus.COMPLETED, worker.error
    assert worker.spec is not None
    assert worker.branch == f"spec/{worker.spec.key}-{worker.pk}"
    assert worker.base_commit == base
    assert Path(worker.workspace) == settings.SPECYARD.data / "workspaces" / worker.folder
    assert commits(worker) == ["Chunk 1", "Chunk 3"]
    first, second, third = worker.chunks.values_list("commit", flat=True)
    assert first == second != third == git(source, "rev-parse", worker.branch)
    about = git(source, "log", "-1", "--format=%b", worker.branch)
    assert about.splitlines() == [f"Spec: {worker.title}", "Chunk: 3 of 3, c3", f"Worker: {worker.pk}"]
    assert git(source, "status", "--porcelain") == ""
    assert git(source, "rev-parse", "main") == base
    assert leftovers(worker) == []


def test_work_on_another_branch_lands_on_the_worker_s(source: Path) -> None:
    worker = driven(make.worker("git checkout -q -b nice; echo b > b.txt", "echo c > c.txt", project=project(source)))
    assert worker.status == WorkerStatus.COMPLETED, worker.error
    assert commits(worker) == ["Chunk 1", "Chunk 2"]
    assert git(source, "show", f"{worker.branch}:b.txt", f"{worker.branch}:c.txt") == "b\nc"
    first = Attempt.objects.get(chunk__worker=worker, chunk__ordinal=1)
    log = first.log_path.read_text()
    assert "The worktree was on nice" in log
    assert first.log_bytes == len(log.encode())


@pytest.mark.parametrize("key", ["a b", ".hidden", "x..y", "a@{b", "q?*[~^:\\", "a/b", "...", "-x", "ü" * 200, "tab\t"])
def test_any_key_can_name_a_branch(source: Path, key: str) -> None:
    branch = for_worker(project(source), "7-f00d", key).branch
    assert git(source, "check-ref-format", "--branch", branch) == branch
    git(source, "branch", branch)
    assert branch.count("/") == 1


def test_a_retry_begins_where_the_last_chunk_passed(source: Path) -> None:
    messy = "ls; test ! -e half.txt && echo x > half.txt && echo bad > a.txt && exit 1; exit 1"
    worker = driven(make.worker("echo good > a.txt", messy, project=project(source), max_attempts=3))
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.CHUNK_FAILED)
    logs = [attempt.log_path.read_text() for attempt in Attempt.objects.filter(chunk__ordinal=2)]
    assert logs == ["a.txt\n"] * 3
    assert commits(worker) == ["Chunk 1"]


def test_a_review_sees_the_work_before_it_is_kept(source: Path) -> None:
    chunk = {"run": "echo two >> a.txt", "review": {"command": "git status --porcelain; grep -q two a.txt"}}
    worker = driven(make.worker(chunk, project=project(source)))
    assert worker.status == WorkerStatus.COMPLETED
    (attempt,) = Attempt.objects.all()
    assert " M a.txt" in attempt.log_path.read_text()
    assert commits(worker) == ["Chunk 1"]


def test_who_continues_has_the_branch_and_begins_clean(source: Path) -> None:
    gate = source.parent / "gate"
    second = f"ls; echo junk > junk.txt; test -e {gate} && rm junk.txt && echo c > c.txt"
    worker = driven(make.worker("echo b > b.txt", second, project=project(source), max_attempts=1))
    assert worker.status == WorkerStatus.FAILED
    gate.touch()
    assert worker.spec is not None
    again = driven(accept(worker.spec, slot=make.free_slot(), node=worker.node, by="mira", continues=worker))
    assert again.status == WorkerStatus.COMPLETED, again.error
    assert (again.workspace, again.branch, again.base_commit) == (worker.workspace, worker.branch, worker.base_commit)
    assert commits(again) == ["Chunk 1", "Chunk 2"]
    assert Attempt.objects.get(chunk__worker=again).log_path.read_text() == "a.txt\nb.txt\n"


def test_a_project_without_git_is_copied_and_the_log_says_so(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    worker = driven(make.worker("echo b > b.txt", project=project(plain)))
    assert (worker.status, worker.branch) == (WorkerStatus.COMPLETED, "")
    assert (Path(worker.workspace) / "b.txt").exists()
    assert "is in no git repository. The worker works in a copy." in log_path(worker, 0).read_text()


def test_an_empty_repository_ends_the_worker_with_what_to_do(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "--quiet")
    worker = driven(make.worker("true", project=project(empty)))
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.PREPARATION_FAILED)
    assert worker.error.endswith("make a first one, or let the project's workers copy it.")


def test_a_base_that_moved_meanwhile_is_for_the_next_worker(source: Path) -> None:
    place = project(source)
    first = driven(make.worker("echo b > b.txt", project=place))
    moved = commit(source, a="newer\n")
    second = driven(make.worker("cat a.txt", project=place))
    assert first.base_commit != moved == second.base_commit
    assert second.last_line == "newer"


def test_two_workers_of_one_repository_do_not_trip_over_one_another(source: Path, background: Background) -> None:
    place = project(source)
    chunks = [f"echo {number} > f{number}.txt" for number in range(5)]
    workers = [make.worker(*chunks, project=place) for _ in range(4)]
    for done in [background(worker) for worker in workers]:
        done.result(60)
    for worker in map(now, workers):
        assert worker.status == WorkerStatus.COMPLETED, worker.error
        assert len(commits(worker)) == 5
        assert [status for _, _, status, _ in attempts(worker)] == ["passed"] * 5
    assert len(git(source, "branch", "--list", "spec/*").splitlines()) == 4
