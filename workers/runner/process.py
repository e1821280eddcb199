"""Facts about processes, and children with their output: started, read to the end, reaped by their known pid."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psutil

log = logging.getLogger("specyard.runner")

ON_LINUX = sys.platform.startswith("linux")
READ_SIZE = 256 * 1024
# Orphans that ended are reaped so many seconds later, many at a time.
SWEEP_DELAY = 0.05


def created(pid: int) -> float | None:
    """When the process began, in seconds since the epoch as psutil counts them; None when there is none."""
    if ON_LINUX:
        stat = read_stat(pid)
        return psutil.boot_time() + int(stat[19]) / os.sysconf("SC_CLK_TCK") if stat else None
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def identity(pid: int) -> str:
    """What tells this process from every other that ever had its pid; "" when there is none.

    On Linux the start in ticks and the boot, which a corrected clock cannot move.
    """
    if not ON_LINUX:
        return str(created(pid) or "")
    stat = read_stat(pid)
    return f"{_boot_id()}:{stat[19].decode()}" if stat and stat[0] not in (b"Z", b"X") else ""


def living_runner(directory: Path) -> dict[str, Any] | None:
    """What runner.json says, if that very runner is alive (a recycled pid is not it); else None."""
    found = read_json(directory / "runner.json")
    pid = found.get("pid") if found else None
    if found and isinstance(pid, int) and pid > 1 and identity(pid) == found.get("identity"):
        return found
    return None


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def read_stat(pid: int | str, task: str = "") -> list[bytes] | None:
    """The fields of /proc/PID/stat from the state on (field 3 of proc(5) is item 0); None when it is gone."""
    path = f"/proc/{pid}/task/{task}/stat" if task else f"/proc/{pid}/stat"
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        data = os.read(fd, 1024)
    except ProcessLookupError:
        return None
    finally:
        os.close(fd)
    return data[data.rfind(b")") + 2 :].split()


def send(pid: int, number: int) -> bool:
    """Signal one process; False when it is gone or may not be signalled.

    Never a group: 0 is our own group, and what the kernel shows for a process that it is about to forget.
    """
    if pid <= 1:
        return False
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def become_subreaper(*, wanted: bool = True) -> bool:
    """Have orphaned descendants reparented to this process, or no longer. Not inherited by fork; Linux only."""
    if not ON_LINUX:
        return False
    import ctypes

    pr_set_child_subreaper = 36
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(pr_set_child_subreaper, int(wanted), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    return True


@contextlib.contextmanager
def _closing(*descriptors: int) -> Iterator[None]:
    try:
        yield
    finally:
        for fd in descriptors:
            os.close(fd)


class Pipe:
    """The reading end of a child's output."""

    def __init__(self, fd: int, sink: Callable[[bytes], None]) -> None:
        self._fd = fd
        self._sink = sink
        asyncio.get_running_loop().add_reader(fd, self.read)

    def read(self) -> bool:
        """Take one block of output; False when there is none now."""
        try:
            data = os.read(self._fd, READ_SIZE) if self._fd >= 0 else b""
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        self._sink(data)
        return True

    def close(self) -> None:
        """Read no more."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


class Child:
    """A process of ours in a session of its own. `exited` becomes its exit code (negative: a signal)."""

    def __init__(self, popen: "subprocess.Popen[bytes]", pipes: list[Pipe], stdin: int = -1) -> None:
        self.pid = popen.pid
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._popen = popen
        self._pipes = pipes
        self._stdin = stdin
        self._input: asyncio.WriteTransport | None = None

    async def open_input(self) -> None:
        """Make it possible to `write`."""
        file = os.fdopen(self._stdin, "wb", buffering=0)
        self._input, _ = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, file)

    def write(self, data: bytes) -> None:
        """Give it input, in order. What it cannot take any more is lost."""
        if self._input is not None and not self._input.is_closing():
            self._input.write(data)

    def drain(self, blocks: int = 64) -> None:
        """Take the output that is in the pipes already. Bounded: something may go on writing."""
        for pipe in self._pipes:
            left = blocks
            while left and pipe.read():
                left -= 1

    def reaped(self, status: int) -> None:
        """Hear the wait status. Its output so far is read first."""
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        self.drain()
        if not self.exited.done():
            self.exited.set_result(self._popen.returncode)

    def close(self) -> None:
        """Read no more. A process that still holds the pipe gets SIGPIPE; it cannot make anybody wait."""
        for pipe in self._pipes:
            pipe.close()
        if self._input is not None:
            self._input.abort()
            self._input = None


class Children:
    """Starts and reaps. Waits for known pids only, so that it can live beside asyncio's own children."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._owned: dict[int, Child] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._devnull = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.collect)

    def start(self, argv: list[str], *, cwd: str, env: dict[str, str], sink: Callable[[bytes], None]) -> Child:
        """Start one command without input. Raises OSError or ValueError when it cannot be started."""
        ours, theirs = os.pipe()
        with _closing(theirs):
            return self._start(argv, cwd, env, (self._devnull, theirs, theirs), {ours: sink})

    async def start_talking(
        self,
        argv: list[str],
        *,
        cwd: str,
        env: dict[str, str],
        sink: Callable[[bytes], None],
        errors: Callable[[bytes], None],
    ) -> Child:
        """Start one command with input, and its errors apart. Raises OSError or ValueError when it cannot be."""
        (out, their_out), (err, their_err), (their_in, into) = os.pipe(), os.pipe(), os.pipe()
        with _closing(their_out, their_err, their_in):
            child = self._start(argv, cwd, env, (their_in, their_out, their_err), {out: sink, err: errors}, into)
        await child.open_input()
        return child

    def _start(
        self,
        argv: list[str],
        cwd: str,
        env: dict[str, str],
        theirs: tuple[int, int, int],
        ours: dict[int, Callable[[bytes], None]],
        stdin: int = -1,
    ) -> Child:
        try:
            for fd in ours:
                os.set_blocking(fd, False)
            popen = subprocess.Popen(
                argv, cwd=cwd, env=env, stdin=theirs[0], stdout=theirs[1], stderr=theirs[2], start_new_session=True
            )
        except BaseException:
            for fd in (*ours, stdin):
                if fd >= 0:
                    os.close(fd)
            raise
        pipes = [Pipe(fd, sink) for fd, sink in ours.items()]
        child = self._owned[popen.pid] = Child(popen, pipes, stdin)
        return child

    def collect(self) -> None:
        """Reap those of ours that ended. Called for every SIGCHLD; orphans that ended follow a little later."""
        for pid, child in list(self._owned.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del self._owned[pid]
                child.reaped(status)
        if self._sweeping is None and any_children():
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_DELAY, self._sweep_later)
        self.changed.set()

    def _sweep_later(self) -> None:
        self._sweeping = None
        self.sweep()

    def sweep(self) -> None:
        """Reap orphans that this process inherited as subreaper and that have ended.

        A child that somebody else in this process has started would count as one: start all of them here.
        """
        for pid in children_of(os.getpid()):
            if pid not in self._owned and _is_zombie(pid):
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def any_children() -> bool:
    """Whether this process has children, dead ones included. One system call."""
    if not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _is_zombie(pid: int) -> bool:
    if not ON_LINUX:
        try:
            return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False
    stat = read_stat(pid)
    return stat is not None and stat[0] in (b"Z", b"X")


def children_of(pid: int) -> list[int]:
    """The children of one process, by all its threads."""
    if not ON_LINUX:
        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except psutil.Error:
            return []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    found: list[int] = []
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children", "rb", buffering=0) as file:
                found.extend(map(int, file.readall().split()))
        except OSError:
            continue
    return [child for child in found if child]  # 0: being forgotten this moment


def read_json(path: Path) -> dict[str, Any] | None:
    """A small file that is one JSON object; None when it is missing or no such thing."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a small file for its owner only; readers see the old one or the new one, never half."""
    part = path.with_name(path.name + ".part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        json.dump(value, file)
    part.replace(path)
