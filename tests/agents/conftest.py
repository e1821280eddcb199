"""Agents that run for real: opencode, with a model that answers by a script."""

from pathlib import Path

import pytest

from tests.support.driving import background, launcher, owned
from tests.support.opencode import opencode
from tests.support.valkey import valkey

__all__ = ["background", "launcher", "opencode", "owned", "valkey"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and "opencode" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.agents)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty directory to work in."""
    directory = tmp_path / "work"
    directory.mkdir()
    return directory
