"""Ending what a runner left behind: from outside, blocking, until nothing of it is alive."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import psutil

from workers.runner import journal
from workers.runner.process import children_of, created, living_runner, send
from workers.runner.tree import Tree, is_dead, marked, marker, session_of, tree_of

PAUSE = 0.002
# Seconds between a process's start as the system counts it and the journal's clock.
CLOCK_TOLERANCE = 2.0


def end_runner(pid: int, run: str, directory: str, deadline: float) -> list[int]:
    """KILL a runner and its tree; it is stopped first, so that it starts nothing more. Returns whom it killed."""
    send(pid, signal.SIGSTOP)
    killed = _end(tree_of(pid, marker(run, directory)), deadline)
    send(pid, signal.SIGKILL)
    _wait_for_end(pid, deadline)
    return [pid, *killed]


def end_strays(runners: Iterable[int], deadline: float) -> list[int]:
    """KILL what was reparented to this process: every child that is no runner, and all below it."""
    known = set(runners)

    def strays() -> list[int]:
        found = [pid for pid in children_of(os.getpid()) if pid not in known]
        return [pid for pid in found if not _reaped(pid)]

    return _end(Tree(strays), deadline)


def end_marked(run: str, directory: str, deadline: float) -> list[int]:
    """KILL what carries the run's marker or belongs to the session in its journal, and all below."""

    def tops() -> set[int]:
        return ({pid for pid, _ in marked(run, directory)} | _in_sessions(directory)) - {os.getpid()}

    return _end(Tree(tops), deadline)


def end_foreign_runner(run: str, directory: str, deadline: float) -> list[int]:
    """The same for a runner that is not our child: known by runner.json, which a recycled pid does not match."""
    found = living_runner(Path(directory))
    return end_runner(found["pid"], run, directory, deadline) if found else []


def _end(tree: Tree, deadline: float) -> list[int]:
    """KILL until two looks in a row find nothing: one can miss a process whose parent just ended.

    Raises TimeoutError with what is still there.
    """
    killed: dict[int, None] = {}
    while tree.members() or tree.members():
        killed.update(dict.fromkeys(tree.kill_step()))
        if time.monotonic() > deadline:
            raise TimeoutError(f"still alive: {', '.join(map(str, tree.members()))}")
        time.sleep(PAUSE)
    return list(killed)


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _wait_for_end(pid: int, deadline: float) -> None:
    while not is_dead(pid):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still alive: {pid}")
        time.sleep(PAUSE / 4)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _in_sessions(directory: str) -> set[int]:
    """Processes in the session of the command that the journal says was running, if its first process lives.

    It must have begun when the journal says, or its pid has been given to somebody else since.
    """
    if not directory:
        return set()
    running: dict[str, journal.Entry] = {}
    for entry in journal.salvage(Path(directory) / "journal.ndjson"):
        if entry["kind"] == "started":
            running[entry["request"]] = entry
        elif entry["kind"] == "finished":
            running.pop(entry["request"], None)
    leaders = {entry["pid"] for entry in running.values() if entry["pid"] and _began_then(entry)}
    return {pid for pid in psutil.pids() if session_of(pid) in leaders} if leaders else set()


def _began_then(entry: journal.Entry) -> bool:
    began = created(entry["pid"])
    return began is not None and abs(began - datetime.fromisoformat(entry["at"]).timestamp()) < CLOCK_TOLERANCE


def highest_epoch(directory: str) -> int:
    """The highest epoch that the runner of this directory has obeyed; 0 for none."""
    entries = journal.salvage(Path(directory) / "journal.ndjson") if directory else []
    epochs = [entry.get("epoch") for entry in entries if entry["kind"] == "attached"]
    return max((epoch for epoch in epochs if isinstance(epoch, int)), default=0)
