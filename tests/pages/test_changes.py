"""What a worker has changed, file by file, and the buttons that merge or discard it."""

from pathlib import Path

import pytest
from django.test import Client

from tests.support import make
from tests.support.repository import commit, git, repository
from workers.models import Landing, Worker
from workers.states import WorkerStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


@pytest.fixture
def worker(source: Path, node: object) -> Worker:
    """One that has ended after two chunks, the second of which changed a file of the first."""
    base = git(source, "rev-parse", "HEAD")
    git(source, "checkout", "--quiet", "-b", "spec/job-1")
    commits = [commit(source, a="two\n", b="<b>bold</b>\n"), commit(source, a="three\n")]
    git(source, "checkout", "--quiet", "main")
    made = make.worker("true", "true", project=make.project(source, isolation="worktree"), slot=1)
    claimed = Worker.claim(made.pk, 1)
    assert claimed is not None
    claimed.prepared(str(source), "spec/job-1", base)
    for chunk, at in zip(claimed.chunks.order_by("ordinal"), commits, strict=True):
        type(chunk).objects.filter(pk=chunk.pk).update(commit=at, outcome="passed")
    claimed.completed()
    return claimed


def page(client: Client, worker: Worker, **query: object) -> str:
    reply = client.get(f"/workers/{worker.pk}/changes", query)
    assert reply.status_code == 200
    return reply.content.decode()


def test_the_files_of_the_whole_worker_are_listed(viewer: Client, worker: Worker) -> None:
    text = page(viewer, worker)
    assert "Whole worker" in text
    assert "2 files" in text
    assert "a.txt" in text
    assert "b.txt" in text
    assert '<span class="diff-plus">+2</span> <span class="diff-minus">-1</span>' in text


def test_the_files_of_one_chunk_are_listed(viewer: Client, worker: Worker) -> None:
    text = page(viewer, worker, chunk=2)
    assert "Chunk 2: Chunk 2" in text
    assert "1 file" in text
    assert "b.txt" not in text


def test_the_changes_of_a_file_are_shown_as_text(viewer: Client, worker: Worker) -> None:
    ends = {"old": worker.base_commit, "new": worker.chunks.get(ordinal=1).commit}
    reply = viewer.get(f"/workers/{worker.pk}/changes/patch", {**ends, "path": "b.txt"})
    assert '<p class="diff-line diff-added">+&lt;b&gt;bold&lt;/b&gt;</p>' in reply.content.decode()


@pytest.mark.parametrize(("old", "new"), [("HEAD", "main"), ("--output=/tmp/x", "main"), ("", "")])
def test_only_commits_of_the_worker_are_compared(viewer: Client, worker: Worker, old: str, new: str) -> None:
    reply = viewer.get(f"/workers/{worker.pk}/changes/patch", {"old": old, "new": new, "path": "a.txt"})
    assert reply.status_code == 404


def test_a_repository_that_is_gone_is_told(viewer: Client, worker: Worker, source: Path) -> None:
    source.rename(source.with_name("elsewhere"))
    assert "git cannot run in" in page(viewer, worker)


def test_a_worker_without_a_branch_says_so(viewer: Client, running: Worker) -> None:
    assert "has no branch of its own" in page(viewer, running)
    assert viewer.get(f"/workers/{running.pk}/changes/patch").status_code == 404


def test_an_operator_asks_for_a_merge_and_the_page_says_so(operator: Client, worker: Worker) -> None:
    reply = operator.post(f"/workers/{worker.pk}/merge", headers={"HX-Request": "true"})
    assert reply.status_code == 200
    text = reply.content.decode()
    assert "Merging" in text
    assert f'id="merge-{worker.pk}"' not in text
    assert Landing.objects.get().kind == "merge"


def test_what_a_discard_would_lose_is_listed_before(operator: Client, worker: Worker, source: Path) -> None:
    (source / "c.txt").write_text("not committed\n")
    text = operator.get(f"/workers/{worker.pk}/discard").content.decode()
    assert text.count("on no other branch") == 2
    assert text.count("never committed") == 1
    assert not Landing.objects.exists()
    reply = operator.post(f"/workers/{worker.pk}/discard")
    assert reply["Location"] == f"/workers/{worker.pk}"
    assert Landing.objects.get().kind == "discard"
    assert "Discarding" in operator.get(f"/workers/{worker.pk}").content.decode()


def test_a_viewer_may_not_ask(viewer: Client, worker: Worker) -> None:
    assert viewer.post(f"/workers/{worker.pk}/merge").status_code == 403
    assert not Landing.objects.exists()


def test_what_did_not_work_is_told_and_can_be_tried_again(operator: Client, worker: Worker) -> None:
    Landing.ask(worker, "merge", "mira").failed("The branch conflicts with its base in a.txt.")
    text = operator.get(f"/workers/{worker.pk}").content.decode()
    assert "Could not merge." in text
    assert "conflicts with its base in a.txt." in text
    assert f'id="merge-{worker.pk}"' in text


def test_an_active_worker_cannot_be_merged(operator: Client, worker: Worker) -> None:
    Worker.objects.filter(pk=worker.pk).update(status=WorkerStatus.RUNNING, slot=9, completed_at=None)
    assert operator.post(f"/workers/{worker.pk}/merge", headers={"HX-Request": "true"}).status_code == 409
    assert f'id="merge-{worker.pk}"' not in operator.get(f"/workers/{worker.pk}").content.decode()
