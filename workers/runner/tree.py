"""The process tree below one process: walked, frozen, thawed and ended, whatever sessions and groups it is in."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator

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
    """Everything at and below `tops`.

    With the children of a subreaper as tops that is all, on Linux: nothing can leave, not even with `env -i setsid`.
    """

    def __init__(self, tops: Callable[[], Iterable[int]]) -> None:
        self._tops = tops
        self._stopped_by_us: set[int] = set()
        self._stopped_before: set[int] = set()
        self._last: list[int] | None = None
        self._since = 0.0

    def walk(self, visit: Callable[[int], object] = lambda pid: None) -> list[int]:
        """Everything, parents before children, with what has ended and is not reaped yet.

        `visit` is called for each process before its children are looked for. What has ended counts: a walk can
        miss a process whose parent ends meanwhile, but then it finds that new zombie.
        """
        found: dict[int, None] = {}
        level = list(self._tops())
        while level:
            for pid in level:
                visit(pid)
            found.update(dict.fromkeys(level))
            level = [child for pid in level for child in children_of(pid) if child not in found]
        return list(found)

    def without(self, spared: Collection[int]) -> "Tree":
        """The same without these processes and what is below them."""

        def tops() -> list[int]:
            found = list(self._tops())
            kept = set(Tree(lambda: [pid for pid in found if pid in spared]).walk())
            return [pid for pid in found if pid not in kept]

        return Tree(tops)

    def members(self) -> list[int]:
        """Everything alive, parents before children."""
        return [pid for pid in self.walk() if not is_dead(pid)]

    def freeze_step(self) -> bool:
        """One pass of stopping; True when two passes in a row found the same, all stopped.

        Parents first, so that no parent sees its child stop.
        """
        now = time.monotonic()
        self._since = self._since or now
        patient = now - self._since < BLOCKED_PATIENCE
        found = self.walk(self._stop)
        moving = [pid for pid in found if not is_stopped(pid, patient=patient)]
        for pid in moving:
            send(pid, signal.SIGSTOP)  # once more: its pid may have been another process's a moment ago
        settled = not moving and found == self._last
        self._last = found
        return settled

    def _stop(self, pid: int) -> None:
        """Stop it the moment that it is found, before it can start another one."""
        if pid in self._stopped_by_us or pid in self._stopped_before:
            return
        if is_stopped(pid):
            self._stopped_before.add(pid)
        elif send(pid, signal.SIGSTOP):
            self._stopped_by_us.add(pid)

    def thaw(self) -> None:
        """Let go what `freeze_step` stopped, children first. What had stopped itself stays stopped."""
        for pid in reversed(self.members()):
            if pid in self._stopped_by_us:
                send(pid, signal.SIGCONT)
        self._forget()

    def ask_to_end(self) -> list[int]:
        """TERM to all, then CONT: a stopped process acts on TERM only when it runs. Returns whom it asked."""
        found = self.members()
        for pid in found:
            send(pid, signal.SIGTERM)
        for pid in reversed(found):
            send(pid, signal.SIGCONT)
        self._forget()
        return found

    def kill_step(self) -> list[int]:
        """Stop until nothing new appears (a tree that forks faster than it is killed), then KILL what is there."""
        before: list[int] = []
        for _ in range(50):
            found = self.walk(lambda pid: send(pid, signal.SIGSTOP))
            if found == before:
                break
            before = found
        alive = [pid for pid in found if not is_dead(pid)]
        for pid in alive:
            send(pid, signal.SIGKILL)
        return alive

    def _forget(self) -> None:
        self._stopped_by_us.clear()
        self._stopped_before.clear()
        self._last = None
        self._since = 0.0


class PortableTree(Tree):
    """Where there are no subreapers: descendants, their process groups and sessions, and the marker."""

    def __init__(self, root: int, mark: str) -> None:
        super().__init__(self._find)
        self._root = root
        self._mark = mark
        self._groups: set[int] = set()

    def _find(self) -> list[int]:
        found: list[int] = []
        with contextlib.suppress(psutil.Error):
            found = [process.pid for process in psutil.Process(self._root).children(recursive=True)]
        own = {group_of(self._root), session_of(self._root), os.getpgrp(), os.getsid(0)}
        self._groups.update({number for pid in found for number in (group_of(pid), session_of(pid))} - own - {0})
        others = (process for process in psutil.process_iter() if process.pid not in {self._root, os.getpid(), *found})
        found.extend(process.pid for process in others if self._is_ours(process))
        if not found:
            self._groups.clear()
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        if self._groups & {group_of(process.pid), session_of(process.pid)}:
            return True
        try:
            return bool(process.environ().get(MARKER) == self._mark)
        except (psutil.Error, OSError):
            return False


def group_of(pid: int) -> int:
    """Its process group; 0 when it is gone."""
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
    """What a runner has started: the best tree that this system offers."""
    return Tree(lambda: children_of(root)) if ON_LINUX else PortableTree(root, mark)


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
