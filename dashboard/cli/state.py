"""Who runs on a data directory: one lock, and one small file that the next `up` reads after a `kill -9`."""

import fcntl
import os
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from workers.runner.process import identity, read_json, write_json


class Taken(Exception):
    """Another process holds the lock of this data directory."""


@dataclass(frozen=True)
class Record:
    """One process: its pid, and what tells it from others that had the pid before or get it later."""

    pid: int
    identity: str

    @property
    def lives(self) -> bool:
        return bool(self.identity) and identity(self.pid) == self.identity


@dataclass(frozen=True)
class State:
    """What `up.json` says."""

    pid: int = 0
    address: str = ""
    children: dict[str, Record] = field(default_factory=dict)


def lock(path: Path) -> TextIOWrapper:
    """Take the lock; it is let go when the file is closed or the process ends, however it ends. Raises Taken."""
    file = open(path, "a", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115  it stays open
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise Taken from error
    return file


def write(path: Path, address: str, children: dict[str, Record]) -> None:
    """Note who runs. Readers see the old file or the new one."""
    people = {name: {"pid": child.pid, "identity": child.identity} for name, child in children.items()}
    write_json(path, {"pid": os.getpid(), "address": address, "children": people})


def read(path: Path) -> State:
    """What the last `up` noted; an empty State when there is nothing that can be read."""
    found = read_json(path) or {}
    pid, address, children = found.get("pid"), found.get("address"), found.get("children")
    return State(
        pid if isinstance(pid, int) else 0,
        address if isinstance(address, str) else "",
        {str(name): record for name, child in children.items() if (record := _record(child))}
        if isinstance(children, dict)
        else {},
    )


def _record(child: Any) -> Record | None:
    match child:
        case {"pid": int(pid), "identity": str(who)} if pid > 1:
            return Record(pid, who)
    return None
