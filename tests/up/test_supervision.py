"""Whatever is killed comes back, and a new `up` goes on where a killed one left off."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.processes import alive, lines
from tests.support.wait import until
from tests.up.support import Up, get, python, run

pytestmark = pytest.mark.faults
Start = Callable[..., Up]
CHUNK = "for i in $(seq 1 100000); do echo $i >> progress; sleep 0.02; [ -e enough ] && exit 0; done; exit 1"
SPEC = {"title": "Count", "chunks": [{"title": "Count until told", "params": {"run": CHUNK}}]}
RUN_IT = """
from queue_app import dispatch
from specs.models import Project, Spec
Project.objects.update(isolation="in_place")
dispatch.enqueue(Spec.objects.get(), by="tests")
dispatch.fill_slots()
"""
TELL = """
import json
from workers.models import Attempt, Worker
print(json.dumps([
    list(Worker.objects.values_list("status", "incarnation")),
    list(Attempt.objects.values_list("status", flat=True)),
]))
"""


@pytest.fixture
def counting(start: Start, environment: dict[str, str], tmp_path: Path) -> tuple[Up, Path]:
    """An `up` with a worker that counts into the file `progress` of its project until there is a file `enough`."""
    project = tmp_path / "counting"
    (project / ".specyard").mkdir(parents=True)
    (project / ".specyard" / "count.yaml").write_text(json.dumps(SPEC))
    up = start().is_ready()
    imported = run(environment, "import", str(project))
    assert imported.returncode == 0, imported.stderr
    python(environment, RUN_IT)
    until(lambda: counted(project) > 3, what="the chunk counts")
    return up, project


def counted(project: Path) -> int:
    return len(lines(project / "progress"))


def counts_on(project: Path) -> None:
    """Wait until the chunk has counted further than it has now."""
    seen = counted(project)
    until(lambda: counted(project) > seen + 3, what="the chunk counts on")


def finish(project: Path, environment: dict[str, str]) -> tuple[list[list[object]], list[str]]:
    """Tell the chunk that it is enough; gives workers and attempts once the worker has ended."""
    (project / "enough").touch()

    def ended() -> list[Any]:
        told: list[Any] = json.loads(python(environment, TELL))
        return told if told[0][0][0] not in ("idle", "running", "paused") else []

    workers, attempts = until(ended, what="the worker ends")
    return workers, attempts


def in_order(project: Path) -> bool:
    """Whether one process counted without a gap and without a second beginning."""
    numbers = [int(line) for line in lines(project / "progress")]
    return numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("name", ["web", "node", "valkey", "launcher"])
def test_a_killed_child_is_started_again(start: Start, name: str) -> None:
    up = start().is_ready()
    before = up.pid(name)
    os.kill(before, signal.SIGKILL)
    up.restarted(name, before)
    up.hears(f"{name} ended by SIGKILL; it starts again now")
    assert get(f"{up.address}/healthz")[0] == 200


def test_a_browser_that_comes_while_the_web_server_is_down_only_waits(start: Start) -> None:
    up = start().is_ready()
    for _ in range(3):
        before = up.pid("web")
        os.kill(before, signal.SIGKILL)
        assert get(f"{up.address}/healthz")[0] == 200
        up.restarted("web", before)


def test_what_ends_again_and_again_is_started_more_and_more_slowly(start: Start) -> None:
    up = start().is_ready()
    for when in ("now", "in 0.5 s", "in 1 s", "in 2 s"):
        before = up.pid("web")
        os.kill(before, signal.SIGKILL)
        up.hears(f"web ended by SIGKILL; it starts again {when}")
        up.restarted("web", before)


def test_work_goes_on_while_node_web_and_valkey_are_killed(
    counting: tuple[Up, Path], environment: dict[str, str]
) -> None:
    up, project = counting
    for name in ("node", "web", "valkey"):
        before = up.pid(name)
        os.kill(before, signal.SIGKILL)
        up.restarted(name, before)
        counts_on(project)
    workers, attempts = finish(project, environment)
    assert workers == [["completed", 1]]
    assert attempts == ["passed"]
    assert in_order(project)


def test_a_new_up_keeps_the_launcher_and_the_work_of_a_killed_one(
    counting: tuple[Up, Path], start: Start, environment: dict[str, str]
) -> None:
    up, project = counting
    launcher, old = up.pid("launcher"), {up.pid(name) for name in ("node", "web", "valkey")}
    runners = psutil.Process(launcher).children()
    up.kill()
    counts_on(project)
    successor = start().is_ready()
    assert successor.pid("launcher") == launcher
    assert psutil.Process(launcher).children() == runners
    assert "kept from before" in successor.output
    assert not any(map(alive, old))
    workers, attempts = finish(project, environment)
    assert workers == [["completed", 1]]
    assert attempts == ["passed"]
    assert in_order(project)
    os.kill(launcher, signal.SIGKILL)  # not our child: its end is found by looking
    successor.restarted("launcher", launcher)


def test_a_start_that_is_refused_leaves_the_work_of_a_killed_up_alone(
    counting: tuple[Up, Path], start: Start, environment: dict[str, str]
) -> None:
    up, project = counting
    launcher = up.pid("launcher")
    up.kill()
    refused = run({**environment, "REDIS_URL": "redis://127.0.0.1:1/0"}, "up")
    assert refused.returncode == 1
    counts_on(project)
    assert start().is_ready().pid("launcher") == launcher
    assert finish(project, environment)[1] == ["passed"]


def test_a_launcher_that_does_not_answer_any_more_is_replaced_under_living_work(
    counting: tuple[Up, Path], start: Start, environment: dict[str, str]
) -> None:
    up, project = counting
    launcher = up.pid("launcher")
    up.kill()
    os.kill(launcher, signal.SIGSTOP)
    successor = start().is_ready()
    assert successor.pid("launcher") != launcher
    assert not alive(launcher)
    counts_on(project)
    assert finish(project, environment) == ([["completed", 1]], ["passed"])
    assert in_order(project)


def test_a_full_disk_does_not_end_what_runs(start: Start) -> None:
    up = start().is_ready()
    (up.data / "up.json.part").mkdir()  # what is written first, so that it cannot be
    before = up.pid("web")
    os.kill(before, signal.SIGKILL)
    up.hears("up.json cannot be written")
    assert get(f"{up.address}/healthz")[0] == 200
    (up.data / "up.json.part").rmdir()


def test_ctrl_c_ends_the_work_too_and_the_next_up_goes_on_uncharged(
    counting: tuple[Up, Path], start: Start, environment: dict[str, str]
) -> None:
    up, project = counting
    everybody = up.everybody()
    assert up.interrupt() == 0
    assert not any(map(alive, everybody))
    start().is_ready()
    counts_on(project)
    workers, attempts = finish(project, environment)
    assert workers[0][0] == "completed"
    assert sorted(attempts) == ["interrupted", "passed"]


def test_the_database_is_private_in_a_directory_that_is_open_to_others(
    start: Start, environment: dict[str, str]
) -> None:
    data = Path(environment["SPECYARD_DATA_DIR"])
    data.mkdir(mode=0o755)
    start().is_ready()
    files = [*data.glob("specyard.sqlite3*"), data / "secret.key"]
    assert [path.name for path in files if path.stat().st_mode & 0o077] == []


def test_a_recycled_pid_in_the_state_file_is_nobodys_business(start: Start, environment: dict[str, str]) -> None:
    data = Path(environment["SPECYARD_DATA_DIR"])
    data.mkdir(mode=0o700)
    bystander = psutil.Process()
    record = {"pid": bystander.pid, "identity": "another-boot:1"}
    state = {"pid": 1, "address": "", "children": {"web": record, "node": record, "launcher": record}}
    (data / "up.json").write_text(json.dumps(state))
    up = start().is_ready()
    assert "take over" not in up.output
    assert bystander.is_running()
