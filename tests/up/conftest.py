"""Each test of `up` has a data directory, a database and processes of its own, and leaves none of them."""

import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from dashboard.cli import ground
from tests.support.processes import alive
from tests.support.wait import until
from tests.up.support import Up, clean_environment


@pytest.fixture
def database_url() -> Iterator[str]:
    """Empty for SQLite; where the tests run on PostgreSQL, a new database beside theirs."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield ""
        return
    name = f"up_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str]:
    """The environment of a yard of its own."""
    return clean_environment(tmp_path / "yard", database_url)


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Callable[..., Up]]:
    """Starts `specyard up`; afterwards nothing of it may be left."""
    started: list[Up] = []

    def one(command: str = "up", *prefix: str, **changes: str) -> Up:
        started.append(Up({**environment, **changes}, command, *prefix))
        return started[-1]

    yield one
    pids: set[int] = set()
    for up in started:
        if (up.data / "up.json").exists():
            pids |= up.everybody()
        if up.process.poll() is None:
            up.interrupt_twice()
    until(lambda: not any(map(alive, pids)), seconds=5, what=f"nothing is left of {pids}")


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[str]:
    """The address of a Redis that `up` did not start."""
    path = tmp_path / "own.sock"
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
    server = subprocess.Popen([ground.valkey_binary(), *options], stdout=subprocess.DEVNULL)
    try:
        until(path.is_socket, what="the Redis listens")
        yield f"unix://{path}"
    finally:
        server.kill()
        server.wait()
