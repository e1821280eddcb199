"""The launcher: starts, destroys, survives nonsense, and knows again what a launcher before it started."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.runner.support import ROOT, Launcher, Run, Token, kill, status_of, wait_until
from workers.runner.journal import read
from workers.runner.process import living_runner, read_json

HOUSE = "from workers.runner import housekeeping as house"


@pytest.fixture
def launcher(directory: Path) -> Iterator[Launcher]:
    """A launcher for this test alone."""
    launcher = Launcher(directory)
    yield launcher
    launcher.end()


def test_a_start_is_answered_with_a_runner_that_can_be_reached(launcher: Launcher) -> None:
    run = launcher.start(worker=7)
    run.attach().passes("true")
    process = psutil.Process(run.pid)
    assert os.getsid(run.pid) == run.pid != os.getsid(launcher.process.pid)
    record = read_json(run.directory / "runner.json")
    assert record is not None
    assert (record["run"], record["pid"], record["worker"], record["socket"]) == ("7-1", run.pid, 7, str(run.path))
    assert abs(record["created"] - process.create_time()) < 0.1
    assert (run.directory / "runner.json").stat().st_mode & 0o777 == 0o600
    assert run.path.stat().st_mode & 0o777 == 0o600
    ping = launcher.ask(op="ping")
    assert ping["pid"] == launcher.process.pid
    assert ping["runs"]["7-1"]["pid"] == run.pid


def test_lines_of_its_log_tell_the_time_in_utc(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")  # 14 hours ahead
    launcher = Launcher(directory)
    try:
        launcher.start().attach().passes("true")
    finally:
        launcher.end()
    line = launcher.log.read_text().splitlines()[0]
    told = datetime.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=5), line


def test_a_start_is_idempotent_while_the_runner_lives(launcher: Launcher, run: Run) -> None:
    assert run.start()["pid"] == run.pid
    kill(run.pid)
    wait_until(lambda: launcher.ask(op="ping")["runs"] == {}, "the news of the death")
    run.pid = run.start()["pid"]
    run.attach().passes("true")


def test_a_runner_holds_nothing_of_the_launcher_open(launcher: Launcher, run: Run) -> None:
    run.attach().passes("true")
    open_files = [os.readlink(f"/proc/{run.pid}/fd/{fd}") for fd in (0, 1, 2)]
    assert open_files == ["/dev/null", str(run.directory / "runner.log"), str(run.directory / "runner.log")]
    sockets = [c.laddr for c in psutil.Process(run.pid).net_connections("unix")]
    assert str(launcher.path) not in sockets
    assert str(run.path) in sockets


@pytest.mark.faults
def test_destroy_leaves_nothing(launcher: Launcher, run: Run, token: Token) -> None:
    owner = run.attach()
    owner.execute(f"{token.sleeper('env -i setsid')} & {token.sleeper()} & wait")
    token.wait_for(2)
    owner.say("pause")
    owner.until("paused")
    reply = run.destroy()
    assert token.processes() == []
    assert not psutil.pid_exists(run.pid)
    assert reply["ok"]
    assert run.pid in reply["killed"]
    assert len(reply["killed"]) >= 3
    assert run.destroy() == {"ok": True, "killed": []}


def test_destroy_of_what_never_ran_is_done_at_once(launcher: Launcher) -> None:
    assert launcher.ask(op="destroy", run="99-1") == {"ok": True, "killed": []}
    assert launcher.ask(op="destroy", run="99-1", directory="/nonexistent") == {"ok": True, "killed": []}


def test_a_destroy_with_a_stale_epoch_is_fenced(launcher: Launcher, run: Run) -> None:
    owner = run.attach(epoch=5)
    owner.until("attached")
    reply = run.destroy(epoch=4)
    assert (reply["ok"], reply["fenced"]) == (False, True)
    owner.passes("true")
    assert run.destroy(epoch=5)["ok"]
    assert not psutil.pid_exists(run.pid)


def test_runs_do_not_disturb_one_another(launcher: Launcher, token: Token) -> None:
    one, two = launcher.start(1), launcher.start(2)
    owner = one.attach()
    request = owner.execute(f"{token.sleeper('setsid')} & while [ ! -e go ]; do sleep 0.01; done")
    token.wait_for(1)
    assert two.destroy()["killed"] == [two.pid]
    kill(launcher.start(3).pid)
    assert len(token.processes()) == 1
    (one.workspace / "go").touch()
    assert owner.result(request)["outcome"] == "passed"


@pytest.mark.faults
def test_a_runner_outlives_its_launcher_and_the_next_one_knows_it(launcher: Launcher, run: Run, token: Token) -> None:
    owner = run.attach()
    request = owner.execute(f"{token.sleeper('setsid')} & while [ ! -e go ]; do sleep 0.01; done")
    token.wait_for(1)
    launcher.kill()
    launcher.boot()
    assert launcher.ask(op="ping")["runs"]["12-1"]["pid"] == run.pid
    assert run.start()["pid"] == run.pid
    (run.workspace / "go").touch()
    assert owner.result(request)["outcome"] == "passed"


@pytest.mark.faults
@pytest.mark.parametrize("knows_it", [True, False])
def test_the_next_launcher_can_destroy_a_run(launcher: Launcher, run: Run, token: Token, knows_it: bool) -> None:
    run.attach().execute(f"{token.sleeper('env -i setsid')} & wait")
    token.wait_for(1)
    launcher.kill()
    if not knows_it:
        Path(f"{launcher.path}.runs").unlink()
    launcher.boot()
    reply = run.destroy(directory=str(run.directory))
    assert run.pid in reply["killed"]
    assert token.processes() == []
    assert launcher.ask(op="ping")["runs"] == {}


@pytest.mark.faults
def test_the_next_launcher_ends_what_an_adopted_runner_leaves(launcher: Launcher, run: Run, token: Token) -> None:
    run.attach().execute(f"{token.sleeper('setsid')} & {token.sleeper()} & wait")
    token.wait_for(2)
    launcher.kill()
    launcher.boot()
    kill(run.pid)
    wait_until(lambda: not token.processes(), "the end of the strays", 5)
    wait_until(lambda: launcher.ask(op="ping")["runs"] == {}, "the news of the death")


@pytest.mark.faults
def test_a_runner_that_died_between_two_launchers_leaves_nothing(launcher: Launcher, run: Run, token: Token) -> None:
    run.attach().execute(f"{token.sleeper('setsid')} & {token.sleeper()} & wait")
    token.wait_for(2)
    launcher.kill()
    kill(run.pid)
    launcher.boot()
    wait_until(lambda: not token.processes(), "the end of the strays", 5)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of ours, begun in another tick of the clock than every runner of the test."""
    with subprocess.Popen(["sleep", "600"]) as process:
        wait_until(lambda: time.time() > psutil.Process(process.pid).create_time() + 0.1, "the next tick")
        yield process
        process.kill()


@pytest.mark.faults
def test_a_recycled_pid_is_not_our_runner(bystander: "subprocess.Popen[bytes]", launcher: Launcher, run: Run) -> None:
    run.attach().passes("true")
    assert living_runner(run.directory) is not None
    path = run.directory / "runner.json"
    try:
        path.write_text(path.read_text().replace(f'"pid": {run.pid}', f'"pid": {bystander.pid}'))
        assert living_runner(run.directory) is None
        launcher.kill()
        launcher.boot()
        run.destroy(directory=str(run.directory))
        assert bystander.poll() is None
    finally:
        kill(run.pid)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b"{}",
        b"\xff",
        b'{"op":"dance"}',
        b'{"op":"start"}',
        b'{"op":"start","run":"../../etc","directory":"/tmp/x","socket":"/tmp/s","worker":1}',
        b'{"op":"start","run":"1-1","directory":"relative","socket":"/tmp/s","worker":1}',
        b'{"op":"start","run":"1-1","directory":"/proc/x","socket":"/proc/x/s","worker":1}',
        b'{"op":"destroy","run":""}',
        b"[" * 50_000,
    ],
)
def test_a_malformed_order_is_answered_and_the_launcher_goes_on(launcher: Launcher, line: bytes) -> None:
    connection = launcher.connect(launcher.path)
    connection.send_raw(line + b"\n")
    reply = connection.receive()
    assert reply is not None
    assert reply["ok"] is False
    assert reply["error"]
    assert connection.ask(op="ping")["ok"]


def test_a_socket_path_that_is_too_long_is_an_error(launcher: Launcher, directory: Path) -> None:
    reply = launcher.ask(
        op="start", run="1-1", directory=str(directory / "r"), socket=str(directory / ("s" * 120)), worker=1
    )
    assert reply["ok"] is False
    assert "cannot listen" in reply["error"]


def test_a_client_that_does_not_read_is_dropped(launcher: Launcher) -> None:
    flood = launcher.connect(launcher.path)
    flood.flood(b'{"op":"ping"}\n' * 1000)
    assert launcher.ask(op="ping")["ok"]


def test_quit_leaves_the_runners_alone(launcher: Launcher, run: Run) -> None:
    owner = run.attach()
    assert launcher.ask(op="quit") == {"ok": True}
    assert launcher.process.wait(10) == 0
    owner.passes("true")
    assert not launcher.path.exists()


def test_a_second_launcher_on_the_same_socket_refuses(launcher: Launcher) -> None:
    command = [sys.executable, "-P", "-m", "workers.runner", "launcher", "--socket", str(launcher.path)]
    second = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert second.returncode == 1
    assert "listens" in second.stderr
    assert launcher.ask(op="ping")["ok"]


def test_a_workers_package_in_the_current_directory_does_not_shadow_ours(directory: Path) -> None:
    for name in ("workers", "asyncio", "json"):
        (directory / name).mkdir()
        (directory / name / "__init__.py").write_text("raise SystemExit('the wrong package')")
    launcher = Launcher(directory, cwd=directory)
    try:
        launcher.start().attach().passes("true")
    finally:
        launcher.end()


def test_no_django_is_imported() -> None:
    code = (
        "import sys, workers.runner.launcher, workers.runner.executors, workers.runner.journal\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('django', 'celery', 'channels', 'specs', 'dashboard')])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr


def test_an_idle_launcher_uses_no_time(launcher: Launcher, run: Run) -> None:
    run.attach().passes("true")
    before = sum(psutil.Process(launcher.process.pid).cpu_times()[:2])
    time.sleep(0.5)
    assert sum(psutil.Process(launcher.process.pid).cpu_times()[:2]) - before < 0.015  # the clock ticks every 0.01 s


def test_a_runner_that_nobody_comes_for_ends(directory: Path) -> None:
    launcher = Launcher(directory, setup=f"{HOUSE}; house.IDLE_LIMIT = 0.3; house.TICK = 0.05")
    try:
        run = launcher.start()
        owner = run.attach()
        request = owner.execute("while [ ! -e go ]; do sleep 0.01; done")
        owner.until("started")
        time.sleep(0.6)
        owner.connection.close()
        time.sleep(0.6)
        assert psutil.pid_exists(run.pid)
        (run.workspace / "go").touch()
        wait_until(lambda: launcher.ask(op="ping")["runs"] == {}, "the end of the run")
        assert [entry["kind"] for entry in read(run.directory / "journal.ndjson")][-2:] == ["finished", "ended"]
        assert request
    finally:
        launcher.end()


def test_a_connection_that_never_attaches_is_dropped(directory: Path) -> None:
    launcher = Launcher(directory, setup=f"{HOUSE}; house.ATTACH_LIMIT = 0.2; house.TICK = 0.05")
    try:
        run = launcher.start()
        owner = run.attach()
        assert launcher.connect(run.path).closed()
        owner.passes("true")
    finally:
        launcher.end()


@pytest.mark.faults
def test_a_spare_runner_waits_and_is_replaced(launcher: Launcher, run: Run) -> None:
    def spares() -> list[psutil.Process]:
        children = psutil.Process(launcher.process.pid).children()
        return [
            child
            for child in children
            if child.pid != run.pid and status_of(child) not in (psutil.STATUS_ZOMBIE, "gone")
        ]

    (spare,) = wait_until(spares, "the spare runner")
    other = launcher.start(worker=13)
    assert other.pid == spare.pid
    other.attach().passes("true")
    wait_until(lambda: len(spares()) == 2, "the next spare runner")


@pytest.mark.faults
def test_a_start_does_not_need_the_spare_runner(launcher: Launcher, run: Run) -> None:
    children = psutil.Process(launcher.process.pid).children
    (spare,) = wait_until(lambda: [c for c in children() if c.pid != run.pid], "the spare runner")
    spare.kill()
    wait_until(lambda: not psutil.pid_exists(spare.pid), "the reaping")
    launcher.start(worker=13).attach().passes("true")


@pytest.mark.faults
def test_the_spare_runner_ends_with_its_launcher(launcher: Launcher, run: Run) -> None:
    children = psutil.Process(launcher.process.pid).children
    (spare,) = wait_until(lambda: [c for c in children() if c.pid != run.pid], "the spare runner")
    launcher.kill()
    wait_until(lambda: status_of(spare) in (psutil.STATUS_ZOMBIE, "gone"), "the end of the spare runner")
    assert psutil.pid_exists(run.pid)


def test_a_file_that_is_no_socket_is_not_removed(launcher: Launcher, directory: Path) -> None:
    precious = directory / "precious"
    precious.write_text("x")
    order = {"op": "start", "run": "1-1", "directory": str(directory / "r"), "worker": 1}
    assert launcher.ask(socket=str(precious), **order)["ok"] is False
    assert precious.read_text() == "x"
