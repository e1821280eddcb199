"""Finished workers page by page."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.pages import history
from tests.support import make
from workers.models import Worker
from workers.states import ChunkOutcome, Reason, WorkerStatus

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def finished(node):
    """Sixty finished workers, many of them at the same moment; newest first."""
    spec = make.spec()
    base = {"spec": spec, "project": spec.project, "node": node, "last_slot": 1, "total": 1, "started_at": NOON}
    Worker.objects.bulk_create(
        Worker(
            title=f"run {number}",
            status=WorkerStatus.COMPLETED if number % 3 else WorkerStatus.FAILED,
            completed_at=NOON + timedelta(minutes=number // 7),
            **base,
        )
        for number in range(60)
    )
    return list(Worker.objects.order_by("-completed_at", "-pk").values_list("pk", flat=True))


def shown(client, **query):
    response = client.get("/history", query)
    return [card.worker.pk for card in response.context["cards"]], response.context


def test_older_pages_leave_out_and_repeat_nothing(viewer, finished):
    seen, cursor = [], {}
    while True:
        page, context = shown(viewer, **cursor)
        seen += page
        if not context["older"]:
            break
        cursor = {"older": context["older"]}
    assert seen == finished


def test_newer_leads_back_the_same_way(viewer, finished):
    first, context = shown(viewer)
    second, context = shown(viewer, older=context["older"])
    third, context = shown(viewer, older=context["older"])
    assert (len(first), len(second), len(third)) == (history.PAGE, history.PAGE, 10)
    back, context = shown(viewer, newer=context["newer"])
    assert back == second
    back, context = shown(viewer, newer=context["newer"])
    assert back == first
    assert not context["newer"]


def test_the_first_page_has_nothing_newer(viewer, finished):
    assert shown(viewer)[1]["newer"] == ""


def test_filters_by_status_and_project(viewer, finished):
    page, context = shown(viewer, status="failed")
    assert len(page) == 20
    assert context["filters"] == {"status": "failed"}
    assert shown(viewer, project="elsewhere")[0] == []


@pytest.mark.parametrize("cursor", ["x", "-", "1-", "9" * 17 + "-1", "1-" + "9" * 17, "0-0", "1;drop-1"])
@pytest.mark.parametrize("side", ["older", "newer"])
def test_a_strange_place_is_answered(viewer, finished, side, cursor):
    assert viewer.get("/history", {side: cursor}).status_code == 200


@pytest.mark.parametrize(
    "query", [{"status": "running"}, {"status": "\x00"}, {"project": "\x00"}, {"project": "x" * 9999}]
)
def test_a_strange_filter_is_answered(viewer, finished, query):
    assert viewer.get("/history", query).status_code == 200


def test_active_workers_are_not_history(viewer, running):
    assert shown(viewer)[0] == []
    assert "Nothing has finished yet" in viewer.get("/history").content.decode()


@pytest.mark.parametrize(
    "reason, failed, text",
    [
        (Reason.CHUNK_FAILED, [2], "Chunk 2 failed: Chunk 2"),
        (Reason.CHUNKS_FAILED, [1, 3], "2 chunks failed: Chunk 1, Chunk 3"),
        (Reason.CHUNK_FAILED, [], "A chunk failed"),  # its row was never written
        (Reason.NODE_LOST, [], "The node was lost"),
    ],
)
def test_a_row_names_the_chunks_that_failed(viewer, node, reason, failed, text):
    worker = make.worker("true", "true", "true")
    worker.chunks.filter(ordinal__in=failed).update(outcome=ChunkOutcome.FAILED)
    worker.fail(reason, "exit code 1")
    assert f">{text}</td>" in viewer.get("/history").content.decode()


def test_a_row_names_who_stopped_it(viewer, node):
    make.worker().request_stop("ines")
    assert ">Stopped by ines</td>" in viewer.get("/history").content.decode()
