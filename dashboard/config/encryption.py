"""The keys with which secrets are encrypted: given as a setting, in a file, or made once in the data directory."""

import base64
import binascii
import contextlib
import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, SecretStr

from dashboard.config import writing
from specs.durations import refuse

if TYPE_CHECKING:
    from dashboard.config.model import Config

KEY_BYTES = 32  # as Fernet wants it, in URL-safe base64: https://github.com/fernet/spec
SHAPE = "must be 44 characters that `specyard secrets new-key` prints; several with commas in between, the newest first"


def split(text: str) -> list[str]:
    """The keys in a text, with commas or line ends in between; a line that begins with # is none. Raises ValueError."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    keys = [part for line in lines for part in re.split(r"[,\s]+", line) if part]
    if not all(map(_is_key, keys)):
        raise refuse(SHAPE)
    return keys


def _is_key(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text)) == KEY_BYTES
    except (ValueError, binascii.Error):
        return False


def _checked(value: SecretStr) -> SecretStr:
    split(value.get_secret_value())
    return value


EncryptionKeys = Annotated[SecretStr, AfterValidator(_checked)]


def file_of(config: "Config") -> Path:
    """Where the keys are, if they are not a setting themselves."""
    if config.secrets_key_file:
        return Path(os.path.expanduser(config.secrets_key_file)).absolute()
    return config.data / "secrets.key"


def read(config: "Config", *, make: bool = False) -> list[str]:
    """The keys, the one that encrypts first; `make` one in the data directory where there is none.

    Raises OSError, or ValueError with a sentence when there is none, or one that is no key.
    """
    if given := config.secrets_key.get_secret_value():
        return split(given)
    path = file_of(config)
    if make and not config.secrets_key_file and not path.exists():
        with contextlib.suppress(FileExistsError):
            write(path, [new()])
    try:
        keys = split(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError:
        raise ValueError(f"{path} does not hold keys: each of its lines {SHAPE}.") from None
    except FileNotFoundError:
        raise ValueError(f"The key of the secrets is not there: {path}.") from None
    if not keys:
        raise ValueError(f"There is no key in {path}.")
    return keys


def write(path: Path, keys: Iterable[str], *, replace: bool = False) -> None:
    """Write the file of the keys, whole or not at all, for its owner alone. Raises OSError."""
    writing.write(path, "".join(f"{key}\n" for key in keys), replace=replace)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Within: nobody else changes this file of the keys. Raises BlockingIOError when somebody does, or OSError."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(directory)


def new() -> str:
    """A key that nobody else has."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()
