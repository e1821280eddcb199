"""What a program reads of a worker's branch, and how it merges or discards it."""

import subprocess
from pathlib import Path

import pytest
from django.test import Client

from tests.api.conftest import Call
from tests.pages.test_changes import source, worker
from tests.support.repository import commit, git
from workers import landing
from workers.models import Landing, Worker
from workers.states import WorkerStatus

__all__ = ["source", "worker"]
pytestmark = pytest.mark.django_db(transaction=True)


def path(worker: Worker, what: str) -> str:
    return f"/workers/{worker.pk}/{what}"


def test_the_files_of_the_whole_worker_and_of_one_chunk(call: Call, worker: Worker) -> None:
    whole = call("get", path(worker, "changes")).json()
    assert whole["branch"] == "spec/job-1"
    assert (whole["old"], whole["new"]) == (worker.base_commit, worker.chunks.get(ordinal=2).commit)
    assert [(file["path"], file["kind"]) for file in whole["files"]] == [("a.txt", "modified"), ("b.txt", "added")]
    assert whole["totals"] == {"files": 2, "added": 2, "removed": 1}
    second = call("get", path(worker, "changes"), chunk=2).json()
    [file] = second["files"]
    assert (file["path"], file["kind"], file["added"], file["removed"]) == ("a.txt", "modified", 1, 1)
    assert second["old"] == worker.chunks.get(ordinal=1).commit


def test_the_patch_can_be_applied(call: Call, worker: Worker, source: Path, tmp_path: Path) -> None:
    reply = call("get", path(worker, "diff"))
    assert reply["Content-Type"] == "text/x-diff; charset=utf-8"
    patch = b"".join(reply.streaming_content)
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "--quiet", str(source), str(copy))
    subprocess.run(["git", "apply"], input=patch, cwd=copy, check=True)
    assert (copy / "a.txt").read_text() == "three\n"


def test_the_patch_of_one_file_is_asked_for_by_its_key(call: Call, worker: Worker) -> None:
    files = call("get", path(worker, "changes")).json()["files"]
    key = next(file["key"] for file in files if file["path"] == "b.txt")
    patch = b"".join(call("get", path(worker, "diff"), file=key).streaming_content).decode()
    assert "<b>bold</b>" in patch
    assert "three" not in patch
    missing = call("get", path(worker, "diff"), file="0" * 16)
    assert missing.status_code == 404
    assert missing.json()["detail"] == "No file of these changes has that key."


def test_a_merge_is_asked_for_and_told(call: Call, worker: Worker, source: Path) -> None:
    reply = call("post", path(worker, "merge"))
    assert reply.status_code == 202
    asked = reply.json()
    assert (asked["kind"], asked["state"], asked["asked_by"]) == ("merge", "under_way", "mira")
    landing.carry_out(asked["id"])
    [told] = call("get", path(worker, "landings")).json()
    assert (told["id"], told["state"], told["error"], told["conflicts"]) == (asked["id"], "done", "", [])
    assert told["commit"] == git(source, "rev-parse", "main")
    assert (source / "a.txt").read_text() == "three\n"


def test_a_conflict_is_told_file_by_file_and_nothing_has_moved(call: Call, worker: Worker, source: Path) -> None:
    before = commit(source, a="mine\n")
    landing.carry_out(call("post", path(worker, "merge")).json()["id"])
    [told] = call("get", path(worker, "landings")).json()
    assert told["state"] == "failed"
    assert told["error"] == "The branch conflicts with its base in 1 file."
    assert told["conflicts"] == [{"path": "a.txt", "detail": "both changed the same lines"}]
    assert git(source, "rev-parse", "main") == before


def test_a_discard_says_first_what_would_be_lost(call: Call, worker: Worker, source: Path) -> None:
    lost = call("get", path(worker, "discard")).json()
    assert len(lost["commits"]) == 2
    assert not Landing.objects.exists()
    reply = call("post", path(worker, "discard"))
    assert (reply.status_code, reply.json()["kind"]) == (202, "discard")


def test_what_is_not_possible_now_is_a_conflict(call: Call, worker: Worker) -> None:
    Worker.objects.filter(pk=worker.pk).update(status=WorkerStatus.RUNNING, slot=1, completed_at=None)
    reply = call("post", path(worker, "merge"))
    assert reply.status_code == 409
    assert reply["Content-Type"] == "application/problem+json"
    assert reply.json() == {
        "type": "urn:specyard:problem:stale-transition",
        "title": "Conflict",
        "status": 409,
        "detail": f"Worker {worker.pk} still works on its branch.",
        "current": "running",
    }
    assert not Landing.objects.exists()


def test_a_repository_that_is_gone_is_said(call: Call, worker: Worker, source: Path) -> None:
    source.rename(source.with_name("elsewhere"))
    reply = call("get", path(worker, "changes"))
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:specyard:problem:git-failed")
    assert reply.json()["detail"]


@pytest.mark.parametrize("what", ["changes", "diff", "landings", "discard"])
def test_a_worker_without_a_branch_has_none_of_this(call: Call, worker: Worker, what: str) -> None:
    Worker.objects.filter(pk=worker.pk).update(branch="")
    reply = call("get", path(worker, what))
    assert (reply.status_code, reply.json()["detail"]) == (404, f"Worker {worker.pk} has no branch of its own.")


@pytest.mark.parametrize(
    ("chunk", "status"), [("3", 404), ("0", 422), ("-1", 422), ("x", 422), ("9" * 30, 422), ("NaN", 422), ("\0", 422)]
)
def test_a_chunk_that_is_none_is_refused_by_name(call: Call, worker: Worker, chunk: str, status: int) -> None:
    reply = call("get", path(worker, "changes"), chunk=chunk)
    assert reply.status_code == status
    if status == 422:
        assert [error["field"] for error in reply.json()["errors"]] == ["chunk"]


def test_viewers_read_and_change_nothing(viewer: Client, worker: Worker) -> None:
    assert viewer.get(f"/api{path(worker, 'changes')}").status_code == 200
    for verb in ("merge", "discard"):
        assert viewer.post(f"/api{path(worker, verb)}").status_code == 403
    assert not Landing.objects.exists()
