"""The parts of `up`, one by one."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from dashboard import schema
from dashboard.cli import answers, ground, prepare, processes, state
from dashboard.cli.ready import Ready, tell
from dashboard.cli.refusal import Refused
from dashboard.cli.services import Services
from dashboard.cli.supervisor import Child, ChildFailed
from dashboard.config import Config
from workers.runner.process import identity


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"children": [1]}', '{"pid": "x", "children": {"web": {"pid": -1, "identity": "a"}}}', "\udcff"],
)
def test_a_state_file_that_makes_no_sense_names_nobody(tmp_path: Path, text: str) -> None:
    path = tmp_path / "up.json"
    path.write_text(text, errors="surrogateescape")
    assert state.read(path) == state.State(0, "", {})


def test_the_state_comes_back_as_it_was_written_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "up.json"
    children = {"web": state.Record(os.getpid(), identity(os.getpid())), "node": state.Record(os.getpid(), "other:1")}
    state.write(path, "http://127.0.0.1:1", children)
    found = state.read(path)
    assert (found.pid, found.address, found.children) == (os.getpid(), "http://127.0.0.1:1", children)
    assert found.children["web"].lives
    assert not found.children["node"].lives
    assert path.stat().st_mode & 0o077 == 0


def test_only_one_may_hold_the_lock(tmp_path: Path) -> None:
    with state.lock(tmp_path / "up.lock"), pytest.raises(state.Taken):
        state.lock(tmp_path / "up.lock")
    state.lock(tmp_path / "up.lock").close()


def test_the_delay_grows_and_is_bounded() -> None:
    delays = [Child("web", run=lambda: None, failures=failures).delay() for failures in range(1, 12)]
    assert delays == [0, 0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]


def test_ready_is_told_once_and_a_closed_one_takes_nothing() -> None:
    ready = Ready()
    assert not ready()
    tell(ready.descriptor)
    assert ready()
    again = Ready()
    again.close()
    tell(again.descriptor)


def test_telling_when_nobody_listens_any_more_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    tell(writing)


def test_a_process_with_a_recycled_pid_is_not_killed() -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        processes.kill(bystander.pid, "another-boot:1")
        processes.kill(bystander.pid, "")
        assert bystander.poll() is None
    finally:
        who = identity(bystander.pid)
        processes.kill(bystander.pid, who)
        assert bystander.wait(5) == -9


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("::", "[::1]")]
)
def test_the_address_is_one_that_a_browser_here_can_open(host: str, shown: str) -> None:
    assert ground.shown(host, 8420) == f"http://{shown}:8420"


def test_a_redis_that_is_too_old_is_refused(own_redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ground.redis_version(own_redis)
    monkeypatch.setattr(ground, "OLDEST_REDIS", (99, 0))
    with pytest.raises(Refused, match=r"it must be at least 99\.0"):
        ground.redis_version(own_redis)


@pytest.mark.django_db
def test_the_quick_look_at_migrations_agrees_with_django() -> None:
    executor = MigrationExecutor(connection)
    assert schema.on_disk() == set(executor.loader.disk_migrations)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
    assert prepare.bring_up_to_date() == 0


def test_a_command_that_is_not_called_costs_nothing() -> None:
    """`specyard --version` must be there at once: no Django, no pydantic, no Celery."""
    code = "import sys, dashboard.cli as c; c.main(['--version'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert "specyard" in done.stdout
    assert {"django", "pydantic", "celery", "dashboard.cli.up"} & set(done.stdout.split()) == set()


def test_a_web_server_that_answers_nothing_or_something_else_is_told_from_one_that_is_well() -> None:
    for answer, says in ((b"HTTP/1.1 200 OK\r\n\r\n", ""), (b"HTTP/1.1 500 Oh\r\n\r\n", "500 Oh"), (b"", "nothing")):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = ground.address(listener)
            threading.Thread(target=_answer_once, args=(listener.dup(), answer)).start()
            fault = answers.fault_of_web(address, 10)
        assert (says in fault) if says else not fault
    assert "does not answer" in answers.fault_of_web(address, 10)


def _answer_once(listener: socket.socket, answer: bytes) -> None:
    with listener, listener.accept()[0] as connection:
        connection.recv(4096)
        connection.sendall(answer)


def test_a_launcher_that_is_gone_at_the_last_look_is_a_reason_and_no_traceback(tmp_path: Path) -> None:
    services = Services(with_web=False)
    services.config = Config(data_dir=tmp_path)
    with pytest.raises(ChildFailed, match="The launcher does not answer"):
        services._health()
