"""What becomes of workspaces that are made ahead when processes are killed."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from queue_app import dispatch
from queue_app.models import WorkerQueue
from queue_app.models import Yard as Rules
from tests.support import make, processes
from tests.support.repository import git, repository, slow_checkout
from tests.support.wait import until
from tests.support.work import ended
from tests.support.yard import Yard
from tests.workers.test_ahead import nothing_ahead  # noqa: F401
from workers import launch
from workers.ahead import places
from workers.models import Worker
from workers.runner.ahead import MAKING, READY

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("nothing_ahead")]


class Waiting:
    """A spec that waits for a slot, and whose workspace is made until a gate opens."""

    def __init__(self, tmp_path: Path) -> None:
        self.source = repository(tmp_path / "project")
        self.gate = tmp_path / "gate"
        self.mark = f"made 8{tmp_path.stat().st_ino}"
        Rules.current()
        Rules.objects.update(limit=0)
        slow_checkout(self.source, tmp_path / "begun", self.gate, self.mark)
        project = make.project(self.source, isolation="worktree", setup_command="echo set up >> setup.txt")
        entry = dispatch.enqueue(make.spec("cat setup.txt", project=project), by="mira")
        assert isinstance(entry, WorkerQueue)
        until(lambda: processes.marked(self.mark), what="files are checked out")

    def started(self) -> Worker:
        dispatch.set_limit(1, by="mira")
        return ended(until(Worker.objects.first, what="the worker starts"))


@pytest.fixture
def waiting(yard: Yard, tmp_path: Path) -> Iterator[Waiting]:
    found = Waiting(tmp_path)
    yield found
    found.gate.touch()


def runs() -> list[str]:
    return [name for name in launch.ping()["runs"] if name.startswith("0-")]


def test_a_node_that_is_killed_while_it_makes_one_begins_again(yard: Yard, waiting: Waiting) -> None:
    (half,) = places(MAKING)
    yard.kill("node")
    assert processes.marked(waiting.mark)  # its runner goes on
    yard.start_node()
    until(lambda: not Path(half.found.directory).exists(), what="what was half made is removed")
    waiting.gate.touch()
    (made,) = until(lambda: places(READY), what="it is made")
    assert made.found.directory != half.found.directory
    assert not processes.marked(waiting.mark)
    worker = waiting.started()
    assert (worker.workspace, worker.last_line) == (made.found.directory, "set up")
    assert len(git(waiting.source, "worktree", "list").splitlines()) == 2
    assert places(MAKING) == []


def test_one_that_is_ready_outlives_every_process(yard: Yard, waiting: Waiting) -> None:
    waiting.gate.touch()
    (made,) = until(lambda: places(READY), what="it is made")
    for name in ("node", "launcher"):
        yard.kill(name)
    yard.start_launcher()
    yard.start_node()
    worker = waiting.started()
    assert (worker.workspace, worker.last_line) == (made.found.directory, "set up")


def test_a_node_that_ends_leaves_nothing_running(yard: Yard, waiting: Waiting) -> None:
    yard.kill("node", signal.SIGTERM)
    assert not processes.marked(waiting.mark)
    assert runs() == []
    waiting.gate.touch()
    yard.start_node()
    until(lambda: places(READY), what="the next one makes it")
    until(
        lambda: len(list((settings.SPECYARD.data / "workspaces").glob("for-*[!e]"))) == 1, what="and removes the rest"
    )
