"""What the supervisor asks the launcher: who it is, to end runs, to go."""

import json
import socket
from pathlib import Path
from typing import Any

ANSWER_SECONDS = 5.0
DESTROY_SECONDS = 15.0  # a destroy answers when the last process is gone


class NoLauncher(Exception):
    """Nobody answers on the launcher's socket."""


def ping(path: Path, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
    """The launcher's pid and its runs. Raises NoLauncher."""
    return _ask(path, {"op": "ping"}, seconds)


def destroy(path: Path, run: str) -> bool:
    """End one run. Whether nothing of it is left. Raises NoLauncher."""
    return bool(_ask(path, {"op": "destroy", "run": run}, DESTROY_SECONDS).get("ok"))


def leave(path: Path) -> None:
    """Have the launcher go; runners that live stay. Raises NoLauncher."""
    _ask(path, {"op": "quit"}, ANSWER_SECONDS)


def _ask(path: Path, request: dict[str, Any], seconds: float) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = connection.makefile("rb").readline()
            answer = json.loads(line) if line else None
        except (OSError, ValueError) as error:
            raise NoLauncher(str(error)) from error
    if not isinstance(answer, dict):
        raise NoLauncher("it closed the connection")
    return answer
