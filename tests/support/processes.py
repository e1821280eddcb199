"""What runs on this machine, for tests that must leave nothing behind."""

import os
from pathlib import Path

import psutil


def marked(mark: str) -> set[int]:
    """The pids of living processes whose command line holds the mark."""
    found = set()
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and mark in " ".join(process.info["cmdline"] or ()):
            found.add(process.pid)
    return found - {os.getpid()}


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def tree(pid: int) -> set[int]:
    """A process and all its descendants."""
    return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}


def lines(path: Path) -> list[str]:
    """The lines of a file, none when it does not exist yet."""
    return path.read_text(errors="replace").splitlines() if path.exists() else []
