"""Writes a file whole or not at all."""

import os
import tempfile
from pathlib import Path


def write(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a file that only its owner may read; its directory too, where that is missing.

    It gets its name when it is complete, so that readers see all of it or nothing. Raises OSError, and FileExistsError
    when it is there, or when somebody was faster, unless `replace`.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    complete = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        if replace:
            complete.replace(path)
        else:
            _give(complete, path, text)
    finally:
        complete.unlink(missing_ok=True)


def _give(complete: Path, path: Path, text: str) -> None:
    """Give a complete file its name. Raises FileExistsError when somebody was faster."""
    try:
        os.link(complete, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links; here two at once would not notice one another
        with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(text)
