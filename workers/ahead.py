"""Workspaces made ahead for what stands at the head of the queue, so that a start need not wait for git.

Each node process has one thread for this, which asks runners one after another to make, renew and remove worktrees.
What there is stands in the records that the runners keep (workers/runner/ahead.py): whatever is killed, the next look
finds there what to go on from. Nothing here is needed for a start; a worker that finds nothing makes its own.
"""

import glob
import itertools
import logging
import os
import re
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection

from specs.directories import outside
from specs.usual import setup_time_limit
from workers import launch
from workers.errors import Fenced, RunnerLost, WorkerError
from workers.launch import Connection, Entry, Run
from workers.models import Node, Worker
from workers.models.worker import IS_FINAL
from workers.runner.ahead import MAKING, READY, TAKEN, Record, read
from workers.signals import workspaces_wanted
from workers.workspace import Kind, number_of, records

logger = logging.getLogger(__name__)

LEFT = "left-"  # with what the names of records begin that were given back
NOBODY = "0"  # stands for the folder of a worker in the names of these runs
EPOCH = 1  # a run of these has one owner: the process after it begins another
RENEW_SECONDS = 45.0  # less than the runners' FRESH, so that a start finds an answer of the origin that counts
KEEP_SECONDS = 600.0  # how long one stays that nobody seems to need
RETRY_SECONDS = 600.0  # until something is tried again that did not work
GRACE_SECONDS = 3.0
END_SECONDS = 5.0
LISTEN_SECONDS = 0.2


def wanted_on(node: Node) -> list[Kind]:
    """What the workers that start next on this node will probably need, the first first."""
    most = settings.SPECYARD.spare_workspaces
    answers: list[tuple[Any, Any]] = workspaces_wanted.send(Keeper, node=node, most=most) if most else []
    may = (project for _, projects in answers for project in projects if not outside(project.directory))
    return [Kind.of(project) for project in may][:most]


@dataclass(frozen=True)
class Place:
    """A worktree that was made ahead, and its record without the suffix."""

    record: Path
    found: Record

    @property
    def key(self) -> str:
        return self.record.name.partition("-")[0]


def places(state: str) -> list[Place]:
    """Those whose record is in this state, the oldest first."""
    directory = records()
    names = sorted(directory.glob(f"*{state}"), key=_age) if directory.is_dir() else []
    return [Place(path.with_suffix(""), found) for path in names if (found := read(path))]


def unreadable() -> list[Place]:
    """Those whose record cannot be read, as after a power cut. Its name still says for which worktree it stands."""
    found = []
    for path in records().glob("*"):
        if path.suffix in (MAKING, READY) and not path.name.startswith(LEFT) and read(path) is None:
            token = path.stem.rpartition("-")[2]
            made = list((settings.SPECYARD.data / "workspaces").glob(f"for-*-{glob.escape(token)}"))
            if not made:
                path.unlink(missing_ok=True)
            found += [Place(path.with_suffix(""), Record(str(one), _repository_of(one))) for one in made]
    return found


def _repository_of(worktree: Path) -> str:
    """The directory of git that the worktree belongs to, itself when it does not say so (gitrepository-layout(5))."""
    try:
        told = Path((worktree / ".git").read_text().strip().removeprefix("gitdir: "))
    except (OSError, ValueError):
        return str(worktree)
    return str(told.parents[1] if len(told.parents) > 1 else worktree)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


class Draining(Exception):
    """This process is about to end."""


class Keeper:
    """Keeps what is wanted. `draining` says when this process is about to end."""

    def __init__(self, draining: threading.Event) -> None:
        self._draining = draining
        self._wanted: tuple[Kind, ...] = ()
        self._look = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="ahead", daemon=True)
        self._numbers = itertools.count(time.time_ns() // 1_000_000 % 10**9)  # not those of a process before this one
        self._is_tidy = False
        self._needed: dict[Path, float] = {}  # when it was wanted last
        self._renewed: dict[Path, float] = {}
        self._failed: dict[str, float] = {}  # key → when making one did not work

    def start(self) -> None:
        self._thread.start()

    def want(self, kinds: Iterable[Kind]) -> None:
        """Say what is wanted from now on. Waits for nothing."""
        self._wanted = tuple(kinds)
        if self._wanted or any(records().glob("*")):
            self._look.set()

    def close(self, seconds: float = END_SECONDS) -> None:
        """Leave everything as it is; what is being made is interrupted when this process drains."""
        self._end.set()
        self._look.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _loop(self) -> None:
        while not self._end.is_set():
            self._look.wait()
            self._look.clear()
            try:
                self.run_once()
            except Draining:
                return
            except (WorkerError, DatabaseError, OSError) as error:
                logger.warning("No workspace is made ahead for now: %s", error)
            except Exception:
                logger.exception("Keeping workspaces ahead met a defect")
            finally:
                connection.close()

    # One look

    def run_once(self) -> None:
        """Make what is missing, renew what is there, remove what nobody needs. Raises WorkerError, Draining."""
        if not self._is_tidy:
            self.tidy()
            self._is_tidy = True
        try:
            self._keep_all()
        except WorkerError:
            self._is_tidy = False  # something half made may be left
            raise

    def _keep_all(self) -> None:
        ready, now = places(READY), time.monotonic()
        for kind, number in Counter(self._wanted).items():
            mine = [place for place in ready if place.key == kind.key][:number]
            for place in mine:
                self._needed[place.record] = now
                if now - self._renewed.get(place.record, -RENEW_SECONDS) >= RENEW_SECONDS:
                    self._keep("renew", kind, place)
            for _ in range(number - len(mine)):
                self._make(kind)
        for place in ready:
            if now - self._needed.setdefault(place.record, now) > KEEP_SECONDS:
                self._remove(place)

    def tidy(self) -> None:
        """Remove what a process before this one was still making, and what workers took that never came to work."""
        for run in launch.alive():
            if run.folder == NOBODY:
                self._destroy(run)
        for path in (settings.SPECYARD.data / "runs").glob(f"{NOBODY}-*"):
            shutil.rmtree(path, ignore_errors=True)
        reclaim()
        for place in [*places(MAKING), *unreadable()]:
            self._remove(place)

    def _make(self, kind: Kind) -> None:
        if time.monotonic() - self._failed.get(kind.key, -RETRY_SECONDS) < RETRY_SECONDS:
            return
        token = uuid.uuid4().hex[:8]
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", kind.project)[:40]
        target = settings.SPECYARD.data / "workspaces" / f"for-{name}-{token}"
        place = Place(records() / f"{kind.key}-{token}", Record(os.fspath(target), kind.repository))
        self._keep("make", kind, place)

    def _keep(self, task: str, kind: Kind, place: Place) -> None:
        """Make it, or bring it up to date; one with which that does not work is removed."""
        result = self._carry_out(task, place, base=kind.base, env=dict(kind.environment))
        self._renewed[place.record] = self._needed[place.record] = time.monotonic()
        if result["outcome"] != "passed":
            logger.warning("No workspace could be made ahead for %s: %s", kind.project, result["message"])
            self._failed[kind.key] = time.monotonic()
            self._remove(place)

    def _remove(self, place: Place) -> None:
        self._needed.pop(place.record, None)
        self._renewed.pop(place.record, None)
        result = self._carry_out("remove", place)
        if result["outcome"] != "passed":
            logger.warning("A workspace made ahead was not removed: %s", result["message"])

    # A request

    def _carry_out(self, task: str, place: Place, *, base: str = "", **more: object) -> Entry:
        """Have a runner do it, and give its result. Raises WorkerError, or Draining: then it was interrupted."""
        if self._draining.is_set():
            raise Draining
        target, record, repository = place.found.directory, os.fspath(place.record), place.found.repository
        run = Run(NOBODY, next(self._numbers))
        request = {
            "op": "prepare",
            "worker": run.worker_id,
            "request": "ahead",
            "ahead": {"task": task, "repository": repository, "target": target, "record": record, "base": base},
            "cwd": target,
            "log": os.fspath(run.directory / "ahead.log"),
            "timeout": setup_time_limit(),
            "grace": GRACE_SECONDS,
            **more,
        }
        try:
            ours = launch.start(run)
            try:
                launch.hail(run, ours, EPOCH)
                ours.send(request)
                return self._result(ours)
            finally:
                ours.close()
        finally:
            self._destroy(run)

    def _result(self, ours: Connection) -> Entry:
        asked_to_end = False
        while True:
            entry = ours.receive(LISTEN_SECONDS)
            if entry and entry["kind"] == "finished":
                _see_out(ours)
                if asked_to_end:
                    raise Draining
                return dict(entry["result"])
            if entry and entry["kind"] == "fenced":
                raise Fenced
            if entry and entry["kind"] == "error":
                raise WorkerError(entry["error"])
            if self._draining.is_set() and not asked_to_end:
                asked_to_end = True
                ours.send({"op": "interrupt", "worker": int(NOBODY), "reason": "drain"})

    def _destroy(self, run: Run) -> None:
        launch.destroy(run, EPOCH)
        shutil.rmtree(run.directory, ignore_errors=True)


def _see_out(ours: Connection) -> None:
    """Have the runner end its run, so that its process can take another."""
    deadline = time.monotonic() + END_SECONDS
    ours.send({"op": "quit", "worker": int(NOBODY)})
    try:
        while (left := deadline - time.monotonic()) > 0:
            entry = ours.receive(left)
            if entry and entry["kind"] == "ended":
                return
    except RunnerLost:
        return


def reclaim() -> None:
    """Give back what was taken for workers that ended before they had a workspace: nobody has ever worked in it.

    What a worker has taken that this database does not know stays as it is.
    """
    workspaces: Path = settings.SPECYARD.data / "workspaces"
    taken = {path.stem: path for path in workspaces.glob(f"*{TAKEN}")}
    numbers = {number_of(folder) for folder in taken}
    for worker in Worker.objects.filter(IS_FINAL, pk__in=numbers, prepared_at=None, workspace=""):
        if worker.folder in taken:
            records().mkdir(parents=True, exist_ok=True)
            os.rename(taken[worker.folder], records() / f"{LEFT}{worker.folder}{MAKING}")
