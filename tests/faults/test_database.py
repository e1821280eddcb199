"""The database is restarted, or held by somebody else, while chunks run: nothing is lost and nothing is done twice."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from tests.support import postgres, processes
from tests.support.wait import until
from tests.support.work import COUNT, attempt_that_wrote, ended, started
from tests.support.yard import Yard
from workers.models import Attempt, Event, Worker, latest_seq, retrying
from workers.states import AttemptStatus, WorkerStatus

pytestmark = pytest.mark.faults

LOCKED_SECONDS = 10.0


@pytest.fixture
def server(transactional_db: None) -> postgres.Server:
    """The PostgreSQL under the yard; a test is skipped where it may not be restarted."""
    try:
        return postgres.server()
    except postgres.Untouchable as reason:
        if "CI" in os.environ and connection.vendor == "postgresql":
            pytest.fail(f"On CI this is tried: {reason}")
        pytest.skip(str(reason))


def restart(server: postgres.Server) -> None:
    """Restart it; our own connection has to be opened again like everybody's."""
    server.restart()
    with pytest.raises(OperationalError):
        Worker.objects.count()
    connection.close()
    retrying(Worker.objects.count)


def check(worker: Worker, lines: int) -> None:
    """Every line is there once, nothing was charged, no event number is missing."""
    done = ended(worker)
    assert (done.status, done.error) == (WorkerStatus.COMPLETED, "")
    assert (done.rescues, done.incarnation) == (0, 1)
    first = Attempt.objects.get(chunk__worker=worker, chunk__ordinal=1)
    assert (first.number, first.status, first.log_lines) == (1, AttemptStatus.PASSED, lines)
    assert processes.lines(first.log_path) == [f"line {number}" for number in range(1, lines + 1)]
    assert Attempt.objects.filter(chunk__worker=worker).count() == worker.total
    assert list(Event.objects.values_list("seq", flat=True)) == list(range(1, latest_seq() + 1))


def test_a_database_restart_in_mid_chunk_is_survived(server: postgres.Server, yard: Yard, tmp_path: Path) -> None:
    worker = started(COUNT.format(lines=400), "echo second", directory=tmp_path)
    for lines in (10, 150):
        attempt_that_wrote(worker, lines)
        restart(server)
    assert yard.parts["node"].poll() is None
    check(worker, 400)
    assert Worker.objects.get().epoch == 1  # its owner has kept it all the time


def test_a_database_that_restarts_while_chunks_begin_and_end_loses_none(
    server: postgres.Server, yard: Yard, tmp_path: Path
) -> None:
    worker = started(*[f"echo {number} >> log" for number in range(150)], directory=tmp_path)
    for passed in (20, 60, 100):
        until(lambda passed=passed: Worker.objects.get().passed >= passed, what=f"{passed} chunks passed")
        restart(server)
    done = ended(worker)
    assert (done.status, done.passed) == (WorkerStatus.COMPLETED, 150)
    assert processes.lines(tmp_path / "log") == [str(number) for number in range(150)]
    assert Attempt.objects.count() == 150
    assert list(Event.objects.values_list("seq", flat=True)) == list(range(1, latest_seq() + 1))


def test_a_wish_during_a_database_restart_is_carried_out(server: postgres.Server, yard: Yard, tmp_path: Path) -> None:
    mark = f"sleep 4{tmp_path.stat().st_ino}"
    worker = started(mark, directory=tmp_path)
    until(lambda: processes.marked(mark), what="it runs")
    restart(server)
    worker.request_stop("mira")
    assert ended(worker, 10).status == WorkerStatus.STOPPED
    assert not processes.marked(mark)


# SQLite: somebody else writes


@pytest.fixture
def sqlite(transactional_db: None) -> Path:
    """The file of the tests' database; a test is skipped where it is a server."""
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has one lock for all writers")
    return Path(str(connection.settings_dict["NAME"]))


@contextmanager
def write_lock(path: Path) -> Iterator[None]:
    """Within: another connection holds the lock of all writers."""
    other = sqlite3.connect(path, timeout=20, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def test_a_write_lock_held_for_ten_seconds_in_mid_chunk_loses_nothing(sqlite: Path, yard: Yard, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    worker = started(
        COUNT.format(lines=200), f"touch begun; while ! test -e {gate}; do sleep 0.02; done", directory=tmp_path
    )
    attempt = attempt_that_wrote(worker, 20)
    with write_lock(sqlite):
        until(lambda: len(processes.lines(attempt.log_path)) == 200, what="the command goes on and ends")
        threading.Event().wait(LOCKED_SECONDS)
        assert not (tmp_path / "begun").exists()
    until((tmp_path / "begun").exists, what="the next chunk begins")
    gate.touch()
    check(worker, 200)
    assert Worker.objects.get().epoch == 1


def test_a_wish_while_others_hold_the_lock_waits_for_its_turn(sqlite: Path, yard: Yard, tmp_path: Path) -> None:
    mark = f"sleep 4{tmp_path.stat().st_ino}"
    worker = started(mark, directory=tmp_path)
    until(lambda: processes.marked(mark), what="it runs")
    with write_lock(sqlite):
        asking = threading.Thread(target=_stop, args=(worker,))
        asking.start()
        threading.Event().wait(1.0)
        assert asking.is_alive()
    asking.join(20)
    assert ended(worker, 10).status == WorkerStatus.STOPPED
    assert not processes.marked(mark)


def _stop(worker: Worker) -> None:
    try:
        worker.request_stop("mira")
    finally:
        connection.close()
