"""Many dispatchers at once: the limit holds, nothing starts twice, nothing deadlocks, no event number is missing.

Threads of one process queue for SQLite in order, so these tests run without that queue too: then, as between
processes, only the database's own locks are between them.
"""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from queue_app import dispatch, ordering
from queue_app.errors import AlreadyRunning, AlreadyWaiting, BadPlace
from queue_app.models import WorkerQueue
from tests.support import make
from tests.support.yard import database_url
from workers.errors import StaleTransition
from workers.models import Event, Worker, event, latest_seq, patience
from workers.models.worker import IS_ACTIVE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

DISPATCHERS = 8
ON_SQLITE = "sqlite" in settings.DATABASES["default"]["ENGINE"]


@pytest.fixture(autouse=True, params=["in turn", "all at once"] if ON_SQLITE else ["all at once"])
def turn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether threads queue for SQLite, or meet in its own lock as processes do."""
    if request.param == "all at once":
        monkeypatch.setattr(event, "_sqlite_turn", nullcontext())


def together(*jobs: Callable[[], object]) -> None:
    """Run the jobs in threads that begin at the same moment; raises what any of them raised."""
    gate = threading.Barrier(len(jobs))

    def work(job: Callable[[], object]) -> None:
        try:
            gate.wait(30)
            with patience(60):
                job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(work, job) for job in jobs]:
            future.result(120)


def most_active() -> int:
    return Worker.objects.filter(IS_ACTIVE).count()


def numbers_have_no_gaps() -> bool:
    return list(Event.objects.values_list("seq", flat=True)) == list(range(1, latest_seq() + 1))


def test_eight_dispatchers_never_start_more_than_the_limit_or_anything_twice() -> None:
    make.node()
    dispatch.set_limit(0, by="mira")
    specs = [make.spec() for _ in range(24)]
    for spec in specs:
        dispatch.enqueue(spec, by="mira")
    dispatch._set_limit(3, by="mira")

    def dispatcher() -> None:
        while WorkerQueue.objects.exists():
            dispatch.fill_slots()
            assert most_active() <= 3
            for worker in Worker.objects.filter(IS_ACTIVE):
                stop_quietly(worker)

    together(*[dispatcher] * DISPATCHERS)
    assert Worker.objects.count() == len(specs) == len(set(Worker.objects.values_list("spec", flat=True)))
    assert numbers_have_no_gaps()


def test_the_limit_holds_while_it_goes_down_and_up() -> None:
    make.node()
    dispatch.set_limit(0, by="mira")
    for _ in range(30):
        dispatch.enqueue(make.spec(), by="mira")
    done = threading.Event()

    def changer() -> None:
        for _ in range(20):
            dispatch.set_limit(random.choice((1, 2, 6)), by="mira")
        dispatch.set_limit(4, by="mira")
        done.set()

    def dispatcher() -> None:
        while WorkerQueue.objects.exists():
            dispatch.fill_slots()
            assert most_active() <= 6
            worker = Worker.objects.filter(IS_ACTIVE).order_by("?").first()
            if worker:
                stop_quietly(worker)

    together(changer, *[dispatcher] * DISPATCHERS)
    assert done.is_set()
    assert Worker.objects.values("spec").distinct().count() == Worker.objects.count() == 30
    assert_no_start_was_over_the_limit()


def assert_no_start_was_over_the_limit() -> None:
    """Replay the outbox: at the moment of every start no more were active than the limit of that moment allowed."""
    active, limit, starts = 0, 0, 0
    for change in Event.objects.order_by("seq"):
        if change.kind == "settings_changed":
            limit = change.data.get("limit", limit)
        elif change.kind == "worker_started" and "slot" in change.data:
            active, starts = active + 1, starts + 1
            assert active <= limit, f"event {change.seq}: {active} active, limit {limit}"
            assert change.data["slot"] <= limit
        elif change.kind in ("worker_stopped", "worker_completed", "worker_failed"):
            active -= 1
    assert starts == Worker.objects.count()


def test_enqueue_move_and_stop_at_once_do_not_deadlock() -> None:
    make.node()
    dispatch.set_limit(3, by="mira")
    specs = [make.spec() for _ in range(12)]
    rounds = 15

    def adder() -> None:
        for _ in range(rounds):
            try:
                dispatch.enqueue(random.choice(specs), by="mira")
            except (AlreadyRunning, AlreadyWaiting):
                continue

    def mover() -> None:
        for _ in range(rounds):
            entries = list(WorkerQueue.objects.values_list("pk", flat=True))
            if len(entries) > 1:
                move_quietly(*random.sample(entries, 2))

    def stopper() -> None:
        for _ in range(rounds):
            worker = Worker.objects.filter(IS_ACTIVE).order_by("?").first()
            if worker:
                stop_quietly(worker)

    together(adder, adder, adder, mover, mover, stopper, stopper, stopper)
    assert most_active() <= 3
    assert numbers_have_no_gaps()
    ranks = list(WorkerQueue.objects.values_list("rank", flat=True))
    assert len(ranks) == len(set(ranks))


@pytest.mark.parametrize("place", ordering.PLACES)
def test_the_neighbour_that_a_place_means_does_not_start_meanwhile(place: str) -> None:
    """Found without the lock, the first entry could start before another is put before it: a refusal for nothing."""
    make.node()
    dispatch.pause_queue("mira")
    entries = [dispatch.enqueue(make.spec(), by="mira") for _ in range(3)]
    with CaptureQueriesContext(connection) as captured:
        ordering.move_to(entries[1].pk, place, "mira")
    statements = [query["sql"] for query in captured]
    assert statements[0].startswith("BEGIN")
    assert sum(sql.startswith("BEGIN") for sql in statements) == 1
    if not ON_SQLITE:
        assert "FOR UPDATE" in statements[1]


@pytest.mark.parametrize("turn", ["all at once"], indirect=True)
def test_eight_processes_never_start_more_than_the_limit_or_anything_twice(turn: None) -> None:
    make.node()
    dispatch.set_limit(0, by="mira")
    specs = [make.spec() for _ in range(40)]
    for spec in specs:
        dispatch.enqueue(spec, by="mira")
    dispatch._set_limit(3, by="mira")
    answers = [dispatcher.communicate("go\n", timeout=120)[0] for dispatcher in dispatchers(limit=3)]
    assert [0 <= int(answer) <= 3 for answer in answers] == [True] * DISPATCHERS
    assert Worker.objects.count() == len(specs) == Worker.objects.values("spec").distinct().count()
    assert {slot for (slot,) in Worker.objects.values_list("last_slot")} <= {1, 2, 3}
    assert not WorkerQueue.objects.exists()
    assert numbers_have_no_gaps()


def dispatchers(limit: int) -> "list[subprocess.Popen[str]]":
    """Processes that are ready to dispatch at the first line that they get."""
    command = [sys.executable, "-m", "tests.support.dispatcher", str(limit)]
    environment = {**os.environ, "DATABASE_URL": database_url()}
    started = [
        subprocess.Popen(
            command,
            cwd=settings.ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(DISPATCHERS)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    return started


def move_quietly(source: int, target: int) -> None:
    try:
        ordering.move(source, "mira", before=target)
    except (BadPlace, WorkerQueue.DoesNotExist):
        return


def stop_quietly(worker: Worker) -> None:
    try:
        worker.request_stop("mira")
    except StaleTransition:
        return
