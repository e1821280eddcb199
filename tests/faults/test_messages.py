"""Messages of a real broker, doubled, late, wrong or lost: they cost a moment, and nothing is done twice."""

from pathlib import Path

import pytest
from celery import current_app

from tests.support import processes
from tests.support.wait import until
from tests.support.work import ended, started
from tests.support.yard import Yard
from workers import publisher
from workers.models import Attempt, Worker
from workers.states import WorkerStatus

pytestmark = pytest.mark.faults

QUEUE = "node.test-node"


def send(*arguments: object) -> None:
    """Ask the node's Celery for `run_worker` with these arguments, whatever they are."""
    current_app.send_task("workers.run_worker", args=arguments, queue=QUEUE, retry=False)


def test_doubled_late_and_wrong_messages_change_nothing(yard: Yard, tmp_path: Path) -> None:
    waiting = f"echo begun >> log; while ! test -e {tmp_path}/gate; do sleep 0.01; done"
    worker = started(waiting, directory=tmp_path)
    until(lambda: processes.lines(tmp_path / "log"), what="it runs")
    for _ in range(5):
        publisher.run_worker("test-node", worker.pk, worker.epoch)
    send(worker.pk, 99)
    send(worker.pk, "one")
    send(10**12, 1)
    send("nonsense")
    current_app.send_task("workers.no_such_task", queue=QUEUE, retry=False)
    (tmp_path / "gate").touch()
    done = ended(worker)
    send(worker.pk, worker.epoch)
    after = ended(started("echo after", directory=tmp_path))
    assert (done.status, after.status) == (WorkerStatus.COMPLETED, WorkerStatus.COMPLETED)
    assert (done.epoch, done.incarnation) == (1, 1)
    assert processes.lines(tmp_path / "log") == ["begun"]
    assert Attempt.objects.count() == 2
    assert yard.parts["node"].poll() is None


def test_work_whose_message_is_lost_begins_within_two_seconds(yard: Yard, tmp_path: Path) -> None:
    yard.kill("valkey")
    worker = started("true", directory=tmp_path)
    until(lambda: Worker.objects.get(pk=worker.pk).started_at, 3.0, "it begins without its message")
    assert ended(worker).status == WorkerStatus.COMPLETED
