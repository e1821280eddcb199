"""`specyard up` and its launcher are killed under several workers: the work goes on, and nothing is ever left over."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import processes
from tests.support.shell import Shell
from tests.support.wait import until
from tests.up.conftest import database_url, environment, start
from tests.up.support import Up

__all__ = ["database_url", "environment", "start"]
pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]

Start = Callable[..., Up]
COUNT = "i=0; while ! test -e enough; do i=$((i+1)); echo line $i; sleep 0.01; done; {mark} & exit 0"
BEGIN = """
from specs.models import Chunk, Project, Spec
from queue_app import dispatch
project = Project.objects.create(name="faults", directory={directory!r}, isolation="in_place")
for number in (1, 2):
    spec = Spec.objects.create(project=project, key=f"spec-{{number}}", title=f"Spec {{number}}")
    Chunk.objects.create(spec=spec, ordinal=1, key="count", title="Count", executor="command",
                         params={{"run": {command!r}}})
    dispatch.enqueue(spec, by="tests")
"""
TELL = """
from workers.models import Worker
answer = [{
    "pk": worker.pk, "status": worker.status, "epoch": worker.epoch, "incarnation": worker.incarnation,
    "rescues": worker.rescues, "reason": worker.reason,
    "attempts": [
        {"status": attempt.status, "lines": attempt.log_lines, "log": str(attempt.log_path)}
        for attempt in worker.chunks.get().attempts.order_by("number")
    ],
} for worker in Worker.objects.order_by("pk")]
"""
ASK = """
from workers.models import Worker
Worker.objects.get(pk={pk}).request_{verb}("tests")
"""


@dataclass
class House:
    """A yard that `specyard up` keeps, with two workers that count until they are told that it is enough."""

    start: Start
    shell: Shell
    directory: Path
    up: Up
    mark: str

    def again(self) -> Up:
        self.up = self.start().is_ready()
        return self.up

    def workers(self) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = self.shell(TELL)
        return told

    def worker(self, index: int, **wanted: object) -> dict[str, Any]:
        """The worker, once it has these values."""

        def found() -> dict[str, Any] | None:
            worker = self.workers()[index]
            return worker if all(worker[name] == value for name, value in wanted.items()) else None

        return until(found, 40, f"worker {index} has {wanted}")

    def ask(self, verb: str, index: int) -> None:
        self.shell(ASK.format(verb=verb, pk=self.workers()[index]["pk"]))

    def log(self, index: int) -> list[str]:
        return processes.lines(Path(self.workers()[index]["attempts"][-1]["log"]))

    def counts_on(self, *indices: int) -> None:
        """Wait until these workers have written some more lines."""
        for log in [Path(self.workers()[index]["attempts"][-1]["log"]) for index in indices]:
            seen = len(processes.lines(log))
            until(lambda log=log, seen=seen: len(processes.lines(log)) > seen + 3, what="the chunk counts on")

    def are_adopted(self, before: list[int]) -> None:
        """Wait until a new owner has taken over every worker; `before`: the epochs that they had."""
        until(lambda: all(worker["epoch"] > epoch for worker, epoch in zip(self.workers(), before, strict=True)))

    def enough(self) -> None:
        (self.directory / "enough").touch()


@pytest.fixture
def house(start: Start, environment: dict[str, str], tmp_path: Path) -> Iterator[House]:
    """Everything is up and both workers count; at the end none of their processes may be left."""
    directory = tmp_path / "project"
    directory.mkdir()
    mark = f"sleep 3{directory.stat().st_ino}"
    up = start().is_ready()
    with Shell(environment) as shell:
        made = House(start, shell, directory, up, mark)
        shell(BEGIN.format(directory=str(directory), command=COUNT.format(mark=mark)))
        until(lambda: len(made.workers()) == 2 and all(worker["attempts"] for worker in made.workers()))
        made.counts_on(0, 1)
        yield made
        made.enough()
    assert not processes.marked(mark)


def in_order(lines: list[str]) -> bool:
    """Whether every line is there once, and then the note about what was left in the background."""
    *counted, note = lines
    assert note == "── 1 left running, ended ──"
    return counted == [f"line {number}" for number in range(1, len(counted) + 1)]


def runners(house: House) -> set[int]:
    """The runners that are at work, by what they say of themselves."""
    found = [json.loads(path.read_text())["pid"] for path in (house.up.data / "runs").glob("*/runner.json")]
    return {pid for pid in found if processes.alive(pid)}


def test_killing_up_again_and_again_loses_no_line_and_charges_no_attempt(house: House) -> None:
    at_work = runners(house)
    assert len(at_work) == 2
    for _ in range(2):
        epochs = [worker["epoch"] for worker in house.workers()]
        house.up.kill()
        house.counts_on(0, 1)
        house.again()
        house.are_adopted(epochs)
        house.counts_on(0, 1)
    assert runners(house) == at_work
    house.enough()
    for index in (0, 1):
        worker = house.worker(index, status="completed", incarnation=1, rescues=0)
        (attempt,) = worker["attempts"]
        lines = house.log(index)
        assert (attempt["status"], attempt["lines"]) == ("passed", len(lines))
        assert in_order(lines)


def test_ctrl_c_keeps_what_is_paused_paused_and_begins_the_rest_again_uncharged(house: House) -> None:
    house.ask("pause", 0)
    house.worker(0, status="paused")
    everybody = house.up.everybody() | runners(house)
    assert house.up.interrupt() == 0
    assert [pid for pid in everybody if processes.alive(pid)] == []
    assert [worker["status"] for worker in house.workers()] == ["paused", "running"]
    assert [worker["attempts"][0]["status"] for worker in house.workers()] == ["interrupted", "interrupted"]
    house.again()
    until(lambda: len(house.workers()[1]["attempts"]) == 2, what="the other chunk is begun again")
    house.counts_on(1)
    assert house.workers()[0]["status"] == "paused"
    house.enough()
    house.worker(1, status="completed", rescues=0)
    assert house.workers()[0]["status"] == "paused"
    house.ask("resume", 0)
    done = house.worker(0, status="completed", rescues=0)
    assert [attempt["status"] for attempt in done["attempts"]] == ["interrupted", "passed"]


def test_a_paused_worker_stays_frozen_when_up_is_killed(house: House) -> None:
    house.ask("pause", 0)
    house.worker(0, status="paused")
    seen = len(house.log(0))
    house.up.kill()
    house.again()
    house.worker(0, status="paused", epoch=2)
    house.counts_on(1)
    assert len(house.log(0)) == seen
    house.ask("resume", 0)
    house.counts_on(0)
    house.enough()
    for index in (0, 1):
        assert len(house.worker(index, status="completed", rescues=0)["attempts"]) == 1


def test_runners_outlive_their_launcher_and_stop_still_leaves_nothing(house: House) -> None:
    at_work = runners(house)
    launcher = house.up.pid("launcher")
    os.kill(launcher, signal.SIGKILL)
    house.up.restarted("launcher", launcher)
    house.counts_on(0, 1)
    assert runners(house) == at_work
    trees = {child.pid for pid in at_work for child in psutil.Process(pid).children(recursive=True)} | at_work
    house.ask("stop", 0)
    house.worker(0, status="stopped", reason="stopped")
    assert len(runners(house)) == 1
    house.enough()
    done = house.worker(1, status="completed", rescues=0, incarnation=1)
    assert in_order(house.log(1))
    assert [attempt["status"] for attempt in done["attempts"]] == ["passed"]
    assert [pid for pid in trees if processes.alive(pid)] == []


def test_a_runner_that_dies_without_its_launcher_leaves_nothing(house: House) -> None:
    """Its launcher is somebody else's successor: what is left has to be found by the marks that it carries."""
    launcher = house.up.pid("launcher")
    os.kill(launcher, signal.SIGKILL)
    house.up.restarted("launcher", launcher)
    for pid in runners(house):
        tree = {child.pid for child in psutil.Process(pid).children(recursive=True)}
        assert tree
        os.kill(pid, signal.SIGKILL)
        until(lambda tree=tree: not any(map(processes.alive, tree)), 20, "its tree is gone")
    house.enough()
    for index in (0, 1):
        done = house.worker(index, status="completed", rescues=1, incarnation=2)
        assert [attempt["status"] for attempt in done["attempts"]] == ["lost", "passed"]
