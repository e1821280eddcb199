"""Every page asks the database a constant number of questions, however much there is."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.pages import fragments
from queue_app import dispatch
from queue_app.models import Yard
from tests.support import make
from workers.models import Attempt, Worker
from workers.states import Reason


def grow(times: int) -> Worker:
    """More of everything; gives an active worker."""
    Yard.current()
    Yard.objects.update(limit=100)
    later = timezone.now() + timedelta(days=1)
    for _ in range(times):
        ended, running = (dispatch.enqueue(make.spec("true", "true"), by="mira") for _ in range(2))
        assert isinstance(ended, Worker)
        assert isinstance(running, Worker)
        Worker.claim(ended.pk, 1).fail(Reason.CHUNK_FAILED, "no")
        for chunk in running.chunks.all():
            Attempt.objects.create(chunk=chunk, number=1, incarnation=1, started_at=timezone.now())
        dispatch.enqueue(make.spec("true", "true"), by="mira", not_before=later)
    return running


def queries(call) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        call()
    return len(captured)


@pytest.mark.parametrize(
    "path", ["/workers", "/queue", "/specs", "/projects", "/profiles", "/history", "/specs/1", "/workers/1"]
)
def test_a_page_with_more_asks_no_more(viewer, node, path):
    worker = grow(1)
    path = path.replace("/specs/1", f"/specs/{worker.spec_id}").replace("/workers/1", f"/workers/{worker.pk}")
    viewer.get(path)  # what is remembered between requests
    few = queries(lambda: viewer.get(path))
    grow(4)
    assert queries(lambda: viewer.get(path)) == few
    assert few <= 45


def test_several_cards_cost_two_queries(node):
    grow(4)
    ids = list(Worker.objects.values_list("pk", flat=True))
    assert queries(lambda: [card.render() for card in fragments.cards(ids)]) == 2
