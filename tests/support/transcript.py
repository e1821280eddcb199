"""Writes transcripts as the runner does."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def line(kind: str, **fields: Any) -> bytes:
    """One line."""
    at = fields.pop("at", datetime.now(UTC).isoformat(timespec="milliseconds"))
    return json.dumps({"at": at, "kind": kind, **fields}).encode() + b"\n"


def write(path: Path, *lines: bytes) -> None:
    """Add lines, or pieces of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.writelines(lines)
