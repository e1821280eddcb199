"""Each test of the configuration has a user and a working directory of its own, and no variable of ours."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from dashboard.config import loading
from dashboard.config.files import NAME, user_file
from dashboard.config.keys import PREFIX, all_keys

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [*os.environ]:
        if name.startswith(PREFIX) or name in {key.variable for key in all_keys()}:
            monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)  # tables are as wide as they need
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    monkeypatch.setattr(loading, "_flags", {})
    (tmp_path / "yard").mkdir()
    monkeypatch.chdir(tmp_path / "yard")
    loading.loaded.cache_clear()
    with mock.patch.dict(os.environ):  # flags become variables
        yield
    loading.loaded.cache_clear()


@pytest.fixture
def user() -> Write:
    """Writes the user's file."""
    return lambda text: _write(user_file(), text)


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Writes the file of the working directory."""
    return lambda text: _write(tmp_path / "yard" / NAME, text)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path
