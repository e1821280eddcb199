"""Engines driven in the process of the tests, with runners of a real launcher. Import the fixtures."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.db import connection

from tests.support import launcher as launchers
from tests.support import make
from tests.support.wait import until
from workers import driving, launch
from workers.models import Attempt, Event, Worker, latest_seq
from workers.states import AttemptStatus

# What the launcher has in its environment, and no chunk may see.
OURS = {
    "DJANGO_SETTINGS_MODULE": "dashboard.settings",
    "DATABASE_URL": "postgresql://secret@127.0.0.1/yard",
    "VIRTUAL_ENV": "/somewhere/venv",
    "PYTHONPATH": str(settings.ROOT),
    "PYTHONHOME": "",
    "REDIS_URL": "unix:///secret.sock",
}
LONG_AGO = timedelta(minutes=10)
Drive = Callable[[int, int], None]


@contextmanager
def running_launcher() -> Iterator[None]:
    """A launcher that was started with our environment around it."""
    with mock.patch.dict(os.environ, OURS), launchers.running():
        yield


@pytest.fixture(scope="module")
def launcher() -> Iterator[None]:
    """One launcher for the tests of a module."""
    with running_launcher():
        yield


class Background:
    """Starts engines in threads."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def __call__(self, worker: Worker, drive: Drive = driving.run) -> "Future[None]":
        """Drive the worker in a thread; the future is done when the engine has let go."""
        return self._pool.submit(self._work, drive, worker.pk, worker.epoch)

    def _work(self, drive: Drive, pk: int, epoch: int) -> None:
        try:
            drive(pk, epoch)
        finally:
            connection.close()


class Pool(ThreadPoolExecutor):
    """As the engine's own, but its threads leave no connection to the tests' database behind."""

    def submit(self, job: Callable[..., Any], /, *arguments: Any, **fields: Any) -> "Future[Any]":
        def work() -> Any:
            try:
                return job(*arguments, **fields)
            finally:
                connection.close()

        return super().submit(work)


@pytest.fixture
def owned(monkeypatch: pytest.MonkeyPatch) -> Iterator[driving.Owned]:
    """A process that drives nothing yet; what it drives at the end of a test lets go."""
    fresh = driving.Owned()
    monkeypatch.setattr(driving, "owned", fresh)
    with Pool() as pool:
        monkeypatch.setattr(driving, "pool", pool)
        yield fresh
        fresh.draining.set()


@pytest.fixture
def background(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Background]:
    """Engines in threads; those that a failed test leaves are made to let go."""
    owned = driving.Owned()
    monkeypatch.setattr(driving, "owned", owned)
    with ThreadPoolExecutor() as pool:
        yield Background(pool)
        owned.draining.set()


def driven(worker: Worker, drive: Drive = driving.run) -> Worker:
    """The worker after an engine has driven it, in this thread, until it let go."""
    drive(worker.pk, worker.epoch)
    return now(worker)


def now(worker: Worker) -> Worker:
    """The worker as the database has it."""
    return Worker.objects.select_related("project", "node").get(pk=worker.pk)


def running_attempt(worker: Worker) -> Attempt:
    """The worker's running attempt, once there is one."""
    query = Attempt.objects.select_related("chunk").filter(chunk__worker=worker, status=AttemptStatus.RUNNING)
    return until(query.first, what="an attempt runs")


def attempts(worker: Worker) -> list[tuple[int, int, str, str]]:
    """(chunk, number, status, reason) of every attempt of the worker."""
    query = Attempt.objects.filter(chunk__worker=worker).order_by("chunk__ordinal", "number")
    return list(query.values_list("chunk__ordinal", "number", "status", "reason"))


def outcomes(worker: Worker) -> list[str]:
    """The outcome of every chunk of the worker."""
    return list(worker.chunks.order_by("ordinal").values_list("outcome", flat=True))


def runs_of(worker: Worker) -> list[str]:
    """The worker's runs that the launcher knows as alive."""
    return [run.id for run in launch.alive() if run.folder == worker.folder]


def leftovers(worker: Worker) -> list[str]:
    """What an ended worker has left: slot, lease, runner, socket; and event numbers that are missing."""
    worker = now(worker)
    left = [f"run {run}" for run in runs_of(worker)]
    left += [path.name for path in settings.SPECYARD.runtime_dir.glob(f"r{worker.folder}-*.sock")]
    left += [f"{name} {value}" for name in ("slot", "lease_until") if (value := getattr(worker, name)) is not None]
    numbers = set(Event.objects.values_list("seq", flat=True))
    return left + [f"event {seq} is missing" for seq in range(1, latest_seq() + 1) if seq not in numbers]


def claimed(*commands: str, **fields: Any) -> Worker:
    """A worker that has just been claimed by somebody, who does nothing with it."""
    worker = make.worker(*commands, **fields)
    found = Worker.claim(worker.pk, worker.epoch)
    assert found is not None
    return found


def aged(worker: Worker, **fields: Any) -> Worker:
    """The worker with these columns forced upon it."""
    Worker.objects.filter(pk=worker.pk).update(**fields)
    return now(worker)
