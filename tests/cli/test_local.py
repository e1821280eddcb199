"""The commands on a database that is not as they need it, and what they tell in passing."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dashboard.cli import local
from tests.cli.support import InProcess, Specyard

COMMANDS = ["queue pause", "queue list --json", "workers list", "workers cleanup --dry-run", "nodes drain x", "sign-in"]


@pytest.fixture
def older(tmp_path: Path) -> str:
    """The address of a database without our tables."""
    file = tmp_path / "yard.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other (id)")
    return f"sqlite:///{file}"


@pytest.mark.parametrize("words", COMMANDS)
def test_a_database_of_an_older_version_is_told_of(specyard: Specyard, older: str, words: str) -> None:
    done = specyard(*words.split(), DATABASE_URL=older)
    assert (done.code, done.out) == (1, "")
    assert "migrations of this version. `specyard up` applies them." in done.err


@pytest.mark.parametrize("words", COMMANDS)
def test_what_is_no_database_is_told_of(specyard: Specyard, tmp_path: Path, words: str) -> None:
    (tmp_path / "yard.sqlite3").write_text("garbage " * 100)
    done = specyard(*words.split(), DATABASE_URL=f"sqlite:///{tmp_path}/yard.sqlite3")
    assert (done.code, done.out) == (1, "")
    assert "The database cannot be used: file is not a database" in done.err


def test_what_services_note_in_passing_is_not_for_a_terminal(
    command: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("workers.models.event")
    monkeypatch.setattr(logger, "level", logging.INFO)
    with local.reached() as api:
        api.get("/settings")
        assert not logger.isEnabledFor(logging.INFO)
        assert logger.isEnabledFor(logging.WARNING)
    assert logger.isEnabledFor(logging.INFO)
