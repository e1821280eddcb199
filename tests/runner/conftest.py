import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runner.support import Launcher, Owner, Run, Token


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sy-", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


@pytest.fixture(scope="session")
def landlord() -> Iterator[Launcher]:
    """One launcher for all tests that do nothing to launchers."""
    with tempfile.TemporaryDirectory(prefix="sy-", dir="/tmp") as name:
        launcher = Launcher(Path(name).resolve())
        yield launcher
        launcher.end()


@pytest.fixture
def launcher(directory: Path, landlord: Launcher) -> Iterator[Launcher]:
    launcher = Launcher(directory, lodging_with=landlord)
    yield launcher
    launcher.end()


@pytest.fixture
def run(launcher: Launcher) -> Run:
    return launcher.start()


@pytest.fixture
def owner(run: Run) -> Owner:
    return run.attach()


@pytest.fixture
def token() -> Iterator[Token]:
    """A mark for processes; whatever still carries it afterwards is ended."""
    token = Token()
    yield token
    for process in token.processes():
        process.kill()
