"""`specyard web` and `specyard node`: the parts of a fleet, each by itself."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import alive
from tests.support.wait import until
from tests.up.support import NODE, Up, python, run, sign_in

START = """
from queue_app import dispatch
from specs.models import Spec
dispatch.enqueue(Spec.objects.get(), by="tests")
dispatch.fill_slots()
"""
STATUS = "from workers.models import Worker; print(*Worker.objects.values_list('status', flat=True))"


@pytest.fixture
def fleet(start: Callable[..., Up], own_redis: str) -> tuple[Up, Up]:
    """A web server and a node on one database and one Redis."""
    web = start("web", REDIS_URL=own_redis)
    web.hears("Sign in")
    node = start("node", REDIS_URL=own_redis).is_ready()
    return web, node


def test_a_fleet_serves_pages_and_runs_a_spec(
    fleet: tuple[Up, Up], environment: dict[str, str], own_redis: str, tmp_path: Path
) -> None:
    web, node = fleet
    link = web.link
    assert sign_in(link) == (302, "/workers")
    assert f"Node {NODE} is ready" in node.output
    spec = tmp_path / "small" / "spec.yaml"
    spec.parent.mkdir()
    spec.write_text(json.dumps({"title": "Small", "chunks": [{"title": "One", "params": {"run": "true"}}]}))
    there = {**environment, "REDIS_URL": own_redis}
    assert run(there, "import", str(spec)).returncode == 0
    python(there, START)
    until(lambda: python(there, STATUS) == "completed", what="the worker completes")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_node_and_a_web_server_end_on_request(fleet: tuple[Up, Up], number: int) -> None:
    web, node = fleet
    everybody = node.everybody()
    assert node.interrupt(number) == 0
    assert not any(map(alive, everybody))
    assert web.interrupt(number) == 0


def test_a_web_server_without_its_redis_is_refused(environment: dict[str, str]) -> None:
    refused = run({**environment, "REDIS_URL": "redis://127.0.0.1:1/0"}, "web")
    assert refused.returncode == 1
    assert "REDIS_URL" in refused.stderr


def test_health_tells_a_living_web_server_and_node_from_dead_ones(
    start: Callable[..., Up], own_redis: str, environment: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    there = {**environment, "REDIS_URL": own_redis, "SPECYARD_PORT": port}
    assert [health(there, what) for what in ("web", "node")] == [1, 1]
    web = start("web", REDIS_URL=own_redis, SPECYARD_PORT=port)
    web.hears("Sign in")
    node = start("node", REDIS_URL=own_redis).is_ready()
    assert [health(there, what) for what in ("web", "node")] == [0, 0]
    web.interrupt()
    node.interrupt()
    assert [health(there, what) for what in ("web", "node")] == [1, 1]


def health(environment: dict[str, str], what: str) -> int:
    """The exit code of the container's health check."""
    command = [sys.executable, "-P", "-m", "dashboard.cli.health", what]
    return subprocess.run(command, env=environment, capture_output=True, timeout=30, check=False).returncode
