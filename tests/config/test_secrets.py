"""`specyard secrets`, on a real installation of its own, and the settings that give keys."""

import fcntl
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.up.support import run

ROOT = Path(__file__).resolve().parents[2]
VALUE = "s3cret-that-nobody-sees"
SET = """
from specs.models import Project
from specs.secrets import set_secret, values_of
project, _ = Project.objects.get_or_create(name="yard", directory="/tmp")
"""


class Yard:
    """An installation, asked by commands of their own."""

    def __init__(self, directory: Path) -> None:
        self.data = directory
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "SPECYARD_DATA_DIR": str(directory)}
        self.django("migrate", "--verbosity", "0")

    def django(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", str(ROOT / "manage.py"), *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    def set(self, *names: str) -> None:
        self.django(
            "shell", "-c", SET + "".join(f"set_secret(project, '{name}', '{VALUE}-{name}')\n" for name in names)
        )

    def values(self) -> str:
        return self.django("shell", "-c", SET + "print(values_of(project))").strip().splitlines()[-1]

    @property
    def keys(self) -> list[str]:
        return (self.data / "secrets.key").read_text().split()

    def stored(self) -> dict[str, str]:
        with sqlite3.connect(self.data / "specyard.sqlite3") as database:
            return dict(database.execute("SELECT name, value FROM specs_secret"))


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path / "data")


def test_rotating_changes_the_key_and_keeps_the_values(yard: Yard) -> None:
    yard.set("A", "B")
    before, values = yard.stored(), yard.values()
    [old] = yard.keys
    done = run(yard.environment, "secrets", "rotate")
    assert (done.returncode, done.stdout) == (0, "Made a new key. 2 encrypted anew.\n")
    assert yard.keys[1:] == [old]
    assert yard.keys[0] != old
    assert all(before[name] != value for name, value in yard.stored().items())
    assert yard.values() == values
    dropped = run(yard.environment, "secrets", "rotate", "--drop-old")
    assert dropped.returncode == 0, dropped.stderr
    assert len(yard.keys) == 1
    assert old not in yard.keys
    assert yard.values() == values
    assert (yard.data / "secrets.key").stat().st_mode & 0o777 == 0o600
    files = [path for path in yard.data.rglob("*") if path.is_file()]
    assert VALUE.encode() not in b"".join(path.read_bytes() for path in files)


def test_a_rotation_that_was_interrupted_goes_on_with_the_same_key(yard: Yard) -> None:
    from dashboard.config import encryption

    yard.set("A", "B")
    encryption.write(yard.data / "secrets.key", [encryption.new(), *yard.keys], replace=True)
    yard.set("B")  # encrypted with the new key; A is still to come
    keys, stored = yard.keys, yard.stored()
    done = run(yard.environment, "secrets", "rotate")
    assert (done.returncode, done.stdout) == (0, "1 encrypted anew.\n")
    assert yard.keys == keys
    assert yard.stored()["B"] == stored["B"]
    assert VALUE in yard.values()


@pytest.mark.parametrize("words", [[], ["--drop-old"]])
def test_two_rotations_at_once_cannot_lose_a_key(yard: Yard, words: list[str]) -> None:
    """The second one would write the file of the keys without what the first one has just put in front."""
    yard.set("A")
    run(yard.environment, "secrets", "rotate")
    keys = yard.keys
    directory = os.open(yard.data, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        refused = run(yard.environment, "secrets", "rotate", *words)
    finally:
        os.close(directory)
    assert refused.returncode == 1
    assert "Somebody else is changing the keys" in refused.stderr
    assert yard.keys == keys
    assert run(yard.environment, "secrets", "rotate", *words).returncode == 0


def test_keys_that_a_person_keeps_are_never_written(yard: Yard, tmp_path: Path) -> None:
    own = tmp_path / "own.key"
    first, second = (run(yard.environment, "secrets", "new-key").stdout.strip() for _ in range(2))
    own.write_text(f"# of the fleet\n{first}\n")
    yard.environment["SPECYARD_SECRETS_KEY_FILE"] = str(own)
    yard.set("A")
    assert not (yard.data / "secrets.key").exists()
    own.write_text(f"{second}\n{first}\n")
    rotated = run(yard.environment, "secrets", "rotate").stdout
    assert rotated.startswith("1 encrypted anew.\nThe first of your keys opens everything;")
    refused = run(yard.environment, "secrets", "rotate", "--drop-old")
    assert refused.returncode == 1
    assert "take the older ones out there" in refused.stderr
    yard.environment |= {"SPECYARD_SECRETS_KEY_FILE": "", "SPECYARD_SECRETS_KEY": second}
    assert VALUE in yard.values()


def test_a_rotation_without_the_old_key_says_so_and_drops_nothing(yard: Yard) -> None:
    from dashboard.config import encryption

    yard.set("A")
    encryption.write(yard.data / "secrets.key", [encryption.new()], replace=True)
    refused = run(yard.environment, "secrets", "rotate", "--drop-old")
    assert refused.returncode == 1
    assert "the secret A of the project yard" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert VALUE not in refused.stderr


def test_a_key_that_is_none_is_refused_at_the_start(yard: Yard) -> None:
    refused = run({**yard.environment, "SPECYARD_SECRETS_KEY": "abc"}, "secrets", "rotate")
    assert refused.returncode == 2
    assert "SPECYARD_SECRETS_KEY" in refused.stderr
    assert "specyard secrets new-key" in refused.stderr
