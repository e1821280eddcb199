"""What attempts have left, on pages and by the API: listed, downloaded, never run by a browser."""

import os
from typing import Any

import pytest
from django.test import Client

from tests.support import make
from workers.models import Artifact, Attempt, TestReport, Worker

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def attempt(node: Any) -> Attempt:
    """One that has left two files, a report of tests and a complaint."""
    worker = make.worker({"artifacts": ["out"]})
    claimed = Worker.claim(worker.pk, worker.epoch)
    assert claimed is not None
    attempt = Attempt.open(claimed, claimed.chunks.get())
    files = {f"out/{EVIL.replace('/', '-')}.html": EVIL.encode(), "report.xml": b"<testsuite/>"}
    for path, data in files.items():
        target = attempt.artifacts_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        kind = "junit" if path == "report.xml" else "file"
        Artifact.objects.create(attempt=attempt, path=path, size=len(data), sha256="ab" * 32, kind=kind)
    case = {"name": EVIL, "suite": "s", "outcome": "failed", "message": f"{EVIL}\u202e"}
    counts = {"tests": 12, "failures": 1, "errors": 0, "skipped": 2, "seconds": 61.5, "cases": [case]}
    TestReport.objects.create(artifact=Artifact.objects.get(kind="junit"), **counts)
    attempt.left_out = [{"path": "*.zip", "why": "nothing matches"}]
    attempt.save()
    return attempt


def test_the_timeline_says_how_tests_ended_and_leads_to_the_files(viewer: Client, attempt: Attempt) -> None:
    page = viewer.get(f"/workers/{attempt.chunk.worker_id}").content.decode()
    row = page.partition(f'href="/attempts/{attempt.pk}/artifacts"')[2]
    assert row.startswith(">12 tests, ")
    assert "1 failed" in row
    assert "2 artifacts" in row
    assert "1 not kept" in row


def test_a_page_lists_tests_files_and_what_is_missing(viewer: Client, attempt: Attempt) -> None:
    page = viewer.get(f"/attempts/{attempt.pk}/artifacts").content.decode()
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "<code>*.zip</code>: nothing matches" in page
    assert "2 skipped" in page
    for artifact in Artifact.objects.all():
        assert f'href="/artifacts/{artifact.pk}"' in page


def test_an_attempt_without_any_says_how_to_get_some(viewer: Client, node: Any) -> None:
    worker = make.agents_worker()
    attempt = Attempt.open(worker, worker.chunks.get())
    assert "No artifacts" in viewer.get(f"/attempts/{attempt.pk}/artifacts").content.decode()
    assert "artifact" not in viewer.get(f"/workers/{worker.pk}").content.decode().partition("timeline")[2]


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_a_file_is_downloaded_and_never_shown(viewer: Client, attempt: Attempt, prefix: str) -> None:
    artifact = Artifact.objects.get(kind="file")
    reply = viewer.get(f"{prefix}/artifacts/{artifact.pk}")
    assert b"".join(reply.streaming_content) == EVIL.encode()
    assert reply["Content-Type"] == "application/octet-stream"
    assert reply["Content-Disposition"].startswith("attachment; filename")
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in reply["Content-Security-Policy"]


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_a_file_that_is_gone_or_was_exchanged_is_not_found(viewer: Client, attempt: Attempt, prefix: str) -> None:
    artifact = Artifact.objects.get(kind="junit")
    address = f"{prefix}/artifacts/{artifact.pk}"
    artifact.file.unlink()
    assert viewer.get(address).status_code == 404
    artifact.file.symlink_to("/etc/hostname")
    assert viewer.get(address).status_code == 404
    artifact.file.unlink()
    artifact.file.mkdir()
    before = len(os.listdir("/dev/fd"))
    assert [viewer.get(address).status_code for _ in range(5)] == [404] * 5
    assert len(os.listdir("/dev/fd")) == before
    Artifact.objects.filter(pk=artifact.pk).update(path="../" * 30 + "etc/hostname")
    assert viewer.get(address).status_code == 404
    assert viewer.get(f"{prefix}/artifacts/4711").status_code == 404


def test_programs_get_files_and_tests(viewer: Client, attempt: Attempt) -> None:
    found = viewer.get(f"/api/attempts/{attempt.pk}/artifacts").json()
    assert [one["kind"] for one in found["items"]] == ["file", "junit"]
    assert found["items"][0]["address"] == f"/api/artifacts/{found['items'][0]['id']}"
    assert found["left_out"] == [{"path": "*.zip", "why": "nothing matches"}]
    tests = viewer.get(f"/api/attempts/{attempt.pk}/tests").json()
    assert (tests["tests"], tests["failures"], tests["skipped"], tests["seconds"]) == (12, 1, 2, 61.5)
    assert tests["reports"][0]["path"] == "report.xml"
    assert tests["reports"][0]["cases"][0]["name"] == EVIL


def test_programs_get_nothing_of_an_attempt_without_any(viewer: Client, node: Any) -> None:
    worker = make.agents_worker()
    attempt = Attempt.open(worker, worker.chunks.get())
    assert viewer.get(f"/api/attempts/{attempt.pk}/artifacts").json() == {"items": [], "left_out": []}
    assert viewer.get(f"/api/attempts/{attempt.pk}/tests").json()["tests"] == 0
    assert viewer.get("/api/attempts/4711/tests").status_code == 404
    assert Client().get(f"/api/attempts/{attempt.pk}/artifacts").status_code == 401
