"""A runner whose run has ended and left nothing carries out the next one; nothing passes from one run to another."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.runner.support import Connection, Launcher, Owner, Run, Token, status_of, wait_until
from workers.runner.journal import read
from workers.runner.process import living_runner

MESSY = """
from workers.runner import executors
class Messy(executors.Command):
    name = "messy"
    leaves_nothing = False
executors.registry()["messy"] = Messy
"""


@pytest.fixture
def launcher(directory: Path) -> Iterator[Launcher]:
    """A launcher for this test alone."""
    launcher = Launcher(directory)
    yield launcher
    launcher.end()


def opened(pid: int) -> list[str]:
    """What the process has open."""
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(entry.path))
    return found


def over(run: Run, owner: Owner) -> None:
    """Have the run end as an owner does that has all its results."""
    owner.say("quit")
    owner.until("ended")
    assert run.destroy(directory=str(run.directory), epoch=1)["killed"] == []


def test_the_next_run_gets_the_same_process(launcher: Launcher, run: Run) -> None:
    owner = run.attach(epoch=7)
    owner.passes("true")
    over(run, owner)
    assert launcher.ask(op="ping")["runs"] == {}
    again = launcher.start(worker=13)
    assert again.pid == run.pid
    again.attach(epoch=1).passes("true")  # the epochs of the run before are not this one's
    kinds = [entry["kind"] for entry in read(again.directory / "journal.ndjson")]
    assert kinds == ["ready", "attached", "started", "finished"]


def test_nothing_of_a_run_is_open_in_the_next(launcher: Launcher, run: Run) -> None:
    owner = run.attach()
    owner.passes("echo something")
    files = len(opened(run.pid))
    over(run, owner)
    pid = run.pid
    for worker in range(13, 18):
        again = launcher.start(worker=worker)
        assert again.pid == pid
        owner = again.attach()
        owner.passes("echo something")
        wait_until(lambda: len(opened(pid)) == files, "as many open files as before")  # a journal is synced last
        assert not [name for name in opened(pid) if str(run.directory) in name]
        over(again, owner)


def test_a_late_destroy_of_a_run_that_is_over_does_not_hurt_the_next(launcher: Launcher, run: Run) -> None:
    owner = run.attach()
    owner.passes("true")
    over(run, owner)
    again = launcher.start(worker=13)
    assert again.pid == run.pid
    assert living_runner(run.directory) is None
    request = (working := again.attach()).execute("while [ ! -e go ]; do sleep 0.01; done")
    working.until("started")
    assert run.destroy(directory=str(run.directory))["killed"] == []
    assert run.destroy()["killed"] == []
    (again.workspace / "go").touch()
    assert working.result(request)["outcome"] == "passed"


def test_who_comes_while_a_run_ends_reaches_neither_it_nor_the_next(launcher: Launcher, run: Run) -> None:
    for worker in range(20, 30):
        owner = run.attach(epoch=3)
        owner.passes("true")
        owner.say("quit")
        late = []
        with contextlib.suppress(OSError):
            late.extend(Connection(run.path) for _ in range(20))
        owner.until("ended")
        run = launcher.start(worker=worker)
        for connection in late:
            with contextlib.suppress(OSError):
                connection.send(op="attach", epoch=9)
                connection.send(op="pause")
            assert connection.closed()
            connection.close()
        run.attach(epoch=2).passes("true")
        kinds = [entry["kind"] for entry in read(run.directory / "journal.ndjson")]
        assert kinds == ["ready", "attached", "started", "finished"]


def test_a_destroy_beside_a_quit_leaves_a_launcher_that_works(launcher: Launcher) -> None:
    for worker in range(1, 40):
        run = launcher.start(worker=worker)
        owner = run.attach()
        owner.passes("true")
        owner.say("quit")
        assert run.destroy(directory=str(run.directory))["ok"]
        assert launcher.ask(op="ping")["ok"]
    assert launcher.ask(op="ping")["runs"] == {}


def test_what_is_left_running_is_dead_before_the_next_run(launcher: Launcher, run: Run, token: Token) -> None:
    owner = run.attach()
    owner.execute(f"{token.sleeper('env -i setsid')} & wait")
    token.wait_for(1)
    owner.say("quit")
    owner.until("ended")
    assert token.processes() == []
    assert launcher.start(worker=13).pid == run.pid


def test_a_run_that_is_destroyed_takes_its_process_with_it(launcher: Launcher, run: Run) -> None:
    run.attach().passes("true")
    assert run.destroy()["killed"] == [run.pid]
    assert not psutil.pid_exists(run.pid)
    assert launcher.start(worker=13).pid != run.pid


def test_a_frozen_run_that_ends_leaves_no_pause_behind(launcher: Launcher, run: Run, token: Token) -> None:
    owner = run.attach()
    owner.execute(f"{token.sleeper('setsid')} & {token.sleeper()}")
    token.wait_for(2)
    owner.say("pause")
    owner.until("paused")
    over(run, owner)
    assert token.processes() == []
    again = launcher.start(worker=13)
    assert again.pid == run.pid
    again.attach().passes("true")


@pytest.mark.faults
def test_an_executor_that_may_leave_something_ends_its_process(directory: Path) -> None:
    launcher = Launcher(directory, setup=MESSY)
    try:
        run = launcher.start()
        owner = run.attach()
        request = owner.execute("true", executor="messy")
        assert owner.result(request)["outcome"] == "passed"
        owner.say("quit")
        owner.until("ended")
        wait_until(lambda: not psutil.pid_exists(run.pid), "the end of the runner")
    finally:
        launcher.end()


@pytest.mark.faults
def test_a_process_ends_after_so_many_runs(directory: Path) -> None:
    launcher = Launcher(directory, setup="from workers.runner import child; child.MOST_RUNS = 3")
    try:
        pids = []
        for worker in range(1, 5):
            run = launcher.start(worker=worker)
            pids.append(run.pid)
            owner = run.attach()
            owner.say("quit")
            owner.until("ended")
            run.destroy(directory=str(run.directory))
        assert pids[0] == pids[1] == pids[2] != pids[3]
    finally:
        launcher.end()


@pytest.mark.faults
def test_a_runner_ends_after_its_run_when_its_launcher_is_gone(launcher: Launcher, run: Run) -> None:
    owner = run.attach()
    owner.passes("true")
    launcher.kill()
    owner.say("quit")
    owner.until("ended")
    runner = psutil.Process(run.pid)
    wait_until(lambda: status_of(runner) in (psutil.STATUS_ZOMBIE, "gone"), "the end of the runner")


@pytest.mark.faults
def test_the_next_launcher_ends_the_process_of_a_run_that_is_over(launcher: Launcher, run: Run) -> None:
    owner = run.attach()
    owner.passes("true")
    launcher.kill()
    launcher.boot()
    assert launcher.ask(op="ping")["runs"][run.id]["pid"] == run.pid
    owner.say("quit")
    owner.until("ended")
    run.destroy(directory=str(run.directory), epoch=1)
    runner = psutil.Process(run.pid) if psutil.pid_exists(run.pid) else None
    assert runner is None or status_of(runner) in (psutil.STATUS_ZOMBIE, "gone")
    assert launcher.ask(op="ping")["runs"] == {}


@pytest.mark.faults
def test_many_spare_runners_become_one(directory: Path) -> None:
    launcher = Launcher(directory, setup="from workers.runner import spares; spares.TRIM_DELAY = 0.2")
    try:
        runs = [launcher.start(worker=worker) for worker in range(1, 4)]
        for run in runs:
            over(run, run.attach())
        children = psutil.Process(launcher.process.pid).children
        wait_until(lambda: len(children()) == 1, "one spare runner")
        launcher.start(worker=9).attach().passes("true")
    finally:
        launcher.end()


@pytest.mark.faults
def test_a_spare_runner_obeys_term(launcher: Launcher, run: Run) -> None:
    over(run, run.attach())
    psutil.Process(run.pid).terminate()
    wait_until(lambda: not psutil.pid_exists(run.pid), "its end")
    again = launcher.start(worker=13)
    again.attach().passes("true")
