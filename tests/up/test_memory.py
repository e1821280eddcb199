"""What `up` and its children keep in memory, and what they do not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.up.support import Up

Start = Callable[..., Up]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, and a fork that shares memory")


@LINUX
def test_up_itself_has_no_django_in_memory(start: Start) -> None:
    up = start().is_ready()
    drivers = ("_sqlite3", "psycopg")
    assert any(driver in maps(up.pid("node")) for driver in drivers)
    assert not any(driver in maps(up.process.pid) for driver in drivers)


@LINUX
def test_node_and_web_share_the_memory_of_their_ancestor(start: Start) -> None:
    up = start().is_ready()
    for name in ("node", "web"):
        assert shared(up.pid(name)) > 15_000_000


@LINUX
def test_node_and_web_are_children_of_up_and_their_ancestor_is_gone(start: Start) -> None:
    up = start().is_ready()
    children = {child.pid for child in psutil.Process(up.process.pid).children()}
    assert children == {up.pid(name) for name in ("valkey", "launcher", "node", "web")}


def test_a_start_that_cannot_load_the_application_says_why(start: Start, environment: dict[str, str]) -> None:
    data = Path(environment["SPECYARD_DATA_DIR"])
    (data / "secret.key").mkdir(parents=True, mode=0o700)
    up = start()
    assert up.ends() == 1
    assert "✗ application" in up.output
    assert "The application ended while it was starting." in up.output
    assert "IsADirectoryError" in up.output
    assert not (data / "up.json").exists()


def test_what_is_spared_is_found_by_whoever_needs_it_later() -> None:
    code = """
import sys
from dashboard.cli.spared import OPTIONAL, UNUSED, spared
with spared():
    import daphne.server, channels_redis.pubsub
assert not {*OPTIONAL, *UNUSED} & set(sys.modules), sys.modules
import autobahn.twisted.wamp, autobahn.wamp.message, cryptography.fernet
assert autobahn.twisted.wamp.ApplicationSession.onJoin
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def shared(pid: int) -> int:
    """Bytes of memory of its own that another process has too."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Shared_Dirty:"))
