"""How many times git is really started: a program of that name, first on the path, keeps a list and goes on as git."""

import os
import shutil
from pathlib import Path

import pytest


class Gits:
    """Every git that is started by its name, by its first argument."""

    def __init__(self, directory: Path) -> None:
        self._list = directory / "started"
        self._list.touch()
        program = directory / "git"
        program.write_text(f'#!/bin/sh\necho "$1" >> {self._list}\nexec {shutil.which("git")} "$@"\n')
        program.chmod(0o755)

    def taken(self) -> list[str]:
        """Those since the last time that this was asked."""
        found = self._list.read_text().splitlines()
        self._list.write_text("")
        return found


@pytest.fixture
def gits(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Gits:
    """From here on every git is counted."""
    directory = tmp_path_factory.mktemp("gits")
    gits = Gits(directory)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return gits
