"""`specyard up` from the first step to the last process gone."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import alive
from tests.up.support import SPECYARD, Up, get, python, run, sign_in

Start = Callable[..., Up]
STEPS = ("configuration", "data directory", "address", "application", "database", "Valkey", "launcher", "node", "web")


def test_each_step_is_reported_and_pages_are_served(start: Start) -> None:
    up = start().is_ready()
    for name in (*STEPS, "health"):
        assert re.search(rf"✓ {name} +\d+(\.\d+)? m?s", up.output), name
    assert get(f"{up.address}/healthz")[0] == 200
    assert get(f"{up.address}/workers")[1].startswith("/sign-in")


def test_the_sign_in_link_works_once(start: Start) -> None:
    up = start().is_ready()
    assert sign_in(up.link) == (302, "/workers")
    assert sign_in(up.link) == (302, "/sign-in")


def test_another_sign_in_link_can_be_had(start: Start, environment: dict[str, str]) -> None:
    up = start().is_ready()
    link = run(environment, "sign-in").stdout.strip()
    assert link != up.link
    assert link.startswith(f"{up.address}/sign-in/")
    assert sign_in(link) == (302, "/workers")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_on_request_and_leaves_nothing(start: Start, number: int) -> None:
    up = start().is_ready()
    everybody = up.everybody()
    assert len(everybody) >= 5
    assert up.interrupt(number) == 0
    assert [pid for pid in everybody if alive(pid)] == []
    assert not (up.data / "up.json").exists()
    assert "Everything has ended" in up.output


def test_it_ends_although_its_redis_answers_no_more(start: Start, environment: dict[str, str]) -> None:
    """Celery's own end waits for an answer that is due, an idle one for a second, this one for ten."""
    up = start().is_ready()
    os.kill(up.pid("valkey"), signal.SIGSTOP)
    up.process.send_signal(signal.SIGINT)
    assert up.ends(seconds=8) == 0
    assert python(environment, "from workers.models import Node; print(Node.objects.get().status)") == "offline"


def test_nohup_keeps_it_when_the_terminal_goes(start: Start) -> None:
    up = start("up", "nohup").is_ready()
    up.process.send_signal(signal.SIGHUP)
    assert get(f"{up.address}/healthz")[0] == 200
    assert up.interrupt() == 0
    assert up.output.count("Ending") == 1


@pytest.mark.parametrize("after", ["data directory", "address", "application", "launcher"])
def test_an_interrupt_during_the_start_leaves_nothing(start: Start, after: str) -> None:
    up = start()
    up.hears(f"✓ {after}")
    assert up.interrupt() == 0
    assert "Specyard is ready" not in up.output or "Everything has ended" in up.output
    assert not (up.data / "up.json").exists()


def test_a_second_interrupt_does_not_wait_for_who_does_not_end(start: Start) -> None:
    up = start().is_ready()
    node = up.pid("node")
    subprocess.run(["kill", "-STOP", str(node)], check=True)
    up.process.send_signal(signal.SIGINT)
    up.hears("Ending")
    up.process.send_signal(signal.SIGINT)
    assert up.ends(seconds=8) == 0  # a stopped node alone would be waited for 15 s
    assert not alive(node)


def test_a_second_up_is_refused_and_names_the_first(start: Start, environment: dict[str, str]) -> None:
    up = start().is_ready()
    second = run(environment, "up")
    assert second.returncode == 1
    assert f"process {up.process.pid}, {up.address}" in second.stderr
    assert get(f"{up.address}/healthz")[0] == 200


def test_a_port_in_use_is_named_with_a_way_out(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        refused = run({**environment, "SPECYARD_PORT": str(port)}, "up")
    assert refused.returncode == 1
    assert f"Port {port} on 127.0.0.1 is in use" in refused.stderr
    assert "SPECYARD_PORT=" in refused.stderr


@pytest.mark.parametrize(
    ("variable", "value", "code", "says"),
    [
        ("SPECYARD_PORT", "99999", 2, "SPECYARD_PORT"),
        ("SPECYARD_PORT", "many", 2, "SPECYARD_PORT"),
        ("MAX_WORKERS", "-1", 2, "MAX_WORKERS"),
        ("DATABASE_URL", "mysql://root@localhost/yard", 2, "DATABASE_URL"),
        ("DATABASE_URL", "sqlite:relative", 2, "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://yard:hidden@127.0.0.1:1/yard", 1, "The database cannot be used"),
        ("DATABASE_URL", "sqlite:////nowhere/yard.sqlite3", 1, "The database cannot be used"),
        ("REDIS_URL", "valkey.sock", 2, "REDIS_URL"),
        ("REDIS_URL", "redis://:hidden@127.0.0.1:1/0", 1, "REDIS_URL: the Redis at redis://:***@127.0.0.1:1/0"),
        ("SPECYARD_HOST", "no-such-host.invalid", 2, "SPECYARD_HOST"),
        ("SPECYARD_DATA_DIR", "/dev/null/yard", 1, "The data directory /dev/null/yard cannot be used"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(
    environment: dict[str, str], variable: str, value: str, code: int, says: str
) -> None:
    refused = run({**environment, variable: value}, "up")
    assert refused.returncode == code
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr + refused.stdout
    assert "hidden" not in refused.stderr + refused.stdout
    assert not Path(environment["SPECYARD_DATA_DIR"], "up.json").exists()


def test_only_its_user_may_enter_its_directories(start: Start) -> None:
    up = start().is_ready()
    assert up.data.stat().st_mode & 0o077 == 0
    assert (up.data / "up.json").stat().st_mode & 0o077 == 0
    for path in json.loads(run_config(up)):
        assert Path(path).stat().st_mode & 0o077 == 0, path


def run_config(up: Up) -> str:
    """The directory of the sockets and the sockets in it, as JSON."""
    code = "import json; from dashboard.config import load; d = load().runtime_dir"
    code += "; print(json.dumps([str(d), *map(str, d.glob('*.sock'))]))"
    environment = {"SPECYARD_DATA_DIR": str(up.data), "PATH": "/usr/bin:/bin", "TMPDIR": os.environ["TMPDIR"]}
    done = subprocess.run([SPECYARD[0], "-P", "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_log_that_grew_long_is_put_aside(start: Start, environment: dict[str, str]) -> None:
    log = Path(environment["SPECYARD_DATA_DIR"], "log", "web.log")
    log.parent.mkdir(parents=True, mode=0o700)
    log.write_bytes(b"old\n" * 300_000)
    start().is_ready()
    assert log.stat().st_size < 1_000_000
    assert log.with_name("web.log.1").read_bytes().startswith(b"old\n")


def test_a_redis_of_ones_own_is_used(start: Start, own_redis: str) -> None:
    up = start(REDIS_URL=own_redis).is_ready()
    assert "✓ Redis" in up.output
    assert up.pid("valkey") == 0
