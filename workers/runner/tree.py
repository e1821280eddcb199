"""The process tree below one process: walked, frozen, thawed and ended, whatever sessions and groups it is in."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import psutil

from workers.runner.process import ON_LINUX, children_of, read_stat, send

# A process in an uninterruptible wait cannot obey SIGSTOP yet (a vfork parent never does while its child is
# stopped). After this many seconds a pending SIGSTOP counts: it will run no instruction of its own.
BLOCKED_PATIENCE = 0.2
MARKER = "SPECYARD_RUN"


def marker(run: str, directory: str) -> str:
    """What SPECYARD_RUN holds in the environment of everything that a run starts."""
    return f"{run}@{directory}"


class Tree:
    """Everything below `root`, which is a subreaper: on Linux nothing can leave, not even with `env -i setsid`."""

    def __init__(self, root: int) -> None:
        self.root = root
        self._order: list[int] = []
        self._stopped_by_us: set[int] = set()
        self._since = 0.0

    def members(self) -> list[int]:
        """Everything alive below the root, parents before children. Ended ones not yet reaped are left out."""
        found: list[int] = []
        level = children_of(self.root)
        while level:
            found.extend(pid for pid in level if not is_dead(pid))
            level = [child for pid in level for child in children_of(pid)]
        return found

    def freeze_step(self) -> bool:
        """One pass of stopping; True when two passes in a row found the same processes, all stopped.

        Parents first, so that no parent sees its child stop.
        """
        now = time.monotonic()
        if not self._since:
            self._since, self._order = now, []
        patient = now - self._since < BLOCKED_PATIENCE
        found = self.members()
        moving = [pid for pid in found if not is_stopped(pid, patient=patient)]
        for pid in moving:
            send(pid, signal.SIGSTOP)
        self._stopped_by_us.update(moving)
        settled = not moving and found == self._order
        self._order = found
        return settled

    def thaw(self) -> None:
        """Let go what `freeze_step` stopped, children first. What had stopped itself stays stopped."""
        for pid in reversed(self.members()):
            if pid in self._stopped_by_us:
                send(pid, signal.SIGCONT)
        self._stopped_by_us.clear()
        self._since = 0.0

    def ask_to_end(self) -> list[int]:
        """TERM to all, then CONT: a stopped process acts on TERM only when it runs. Returns whom it asked."""
        found = self.members()
        for pid in found:
            send(pid, signal.SIGTERM)
        for pid in reversed(found):
            send(pid, signal.SIGCONT)
        self._stopped_by_us.clear()
        self._since = 0.0
        return found

    def kill_step(self) -> list[int]:
        """Stop until nothing new appears (a tree that forks faster than it is killed), then KILL what is there."""
        found: list[int] = []
        for _ in range(20):
            before, found = found, self.members()
            if found == before:
                break
            for pid in found:
                send(pid, signal.SIGSTOP)
        for pid in found:
            send(pid, signal.SIGKILL)
        return found


class PortableTree(Tree):
    """Where there are no subreapers: descendants, their process groups and sessions, and the marker."""

    def __init__(self, root: int, mark: str) -> None:
        super().__init__(root)
        self._mark = mark
        self._groups: set[int] = set()

    def members(self) -> list[int]:
        found: dict[int, psutil.Process] = {}
        with contextlib.suppress(psutil.Error):
            found = {p.pid: p for p in psutil.Process(self.root).children(recursive=True)}
        own = {_group(self.root), session_of(self.root), os.getpgrp(), os.getsid(0)}
        self._groups.update({number for pid in found for number in (_group(pid), session_of(pid))} - own - {0})
        for process in psutil.process_iter():
            if process.pid not in found and process.pid not in (self.root, os.getpid()) and self._is_ours(process):
                found[process.pid] = process
        alive = [pid for pid in found if not is_dead(pid)]
        if not alive:
            self._groups.clear()
        return alive

    def _is_ours(self, process: psutil.Process) -> bool:
        if self._groups & {_group(process.pid), session_of(process.pid)}:
            return True
        try:
            return bool(process.environ().get(MARKER) == self._mark)
        except (psutil.Error, OSError):
            return False


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def session_of(pid: int) -> int:
    """Its session; 0 when it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def tree_of(root: int, mark: str) -> Tree:
    """The best tree that this system offers."""
    return Tree(root) if ON_LINUX else PortableTree(root, mark)


def is_dead(pid: int) -> bool:
    """Gone, or ended and waiting to be reaped (a dead main thread with living others is alive)."""
    if not ON_LINUX:
        try:
            return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return True
    stat = read_stat(pid)
    return stat is None or (stat[0] in (b"Z", b"X") and stat[17] in (b"0", b"1"))


def is_stopped(pid: int, *, patient: bool = True) -> bool:
    """Whether no thread of it can run an instruction. Without patience a pending SIGSTOP is enough when blocked."""
    if not ON_LINUX:
        try:
            return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return True
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return True
    return all(_task_is_stopped(pid, task, patient) for task in tasks)


def _task_is_stopped(pid: int, task: str, patient: bool) -> bool:
    stat = read_stat(pid, task)
    if stat is None or stat[0] in (b"T", b"t", b"Z", b"X"):
        return True
    return stat[0] == b"D" and not patient and _stop_is_pending(pid)


def _stop_is_pending(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            pending = [int(line.split()[1], 16) for line in file if line.startswith((b"SigPnd", b"ShdPnd"))]
    except OSError:
        return True
    return any(mask >> (signal.SIGSTOP - 1) & 1 for mask in pending)


def marked(run: str, directory: str = "") -> Iterator[tuple[int, str]]:
    """Processes whose environment says that they belong to a run, with that run's directory."""
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARKER, "")
        except (psutil.Error, OSError):
            continue
        name, _, where = mark.partition("@")
        if name == run and (not directory or where == directory):
            yield process.pid, where
