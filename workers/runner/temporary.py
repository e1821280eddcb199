"""Temporary files: whose they are, and how they go."""

import contextlib
import logging
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

log = logging.getLogger("specyard.runner")

# Below the run's directory: those of processes that stay from one request to the next. They go with the run.
KEPT = "kept-tmp"


def remove_tree(path: Path) -> None:
    """Remove a directory, if there is one, also where its owner took the right to write away from himself."""

    def make_writable(function: Callable[..., Any], name: str, _: object) -> None:
        for part in (os.path.dirname(name), name):
            with contextlib.suppress(OSError):
                os.chmod(part, stat.S_IRWXU)
        with contextlib.suppress(OSError):
            function(name)

    shutil.rmtree(path, onerror=make_writable)
    if path.exists():
        log.warning("temporary files are left in %s", path)
