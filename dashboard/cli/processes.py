"""Processes that `specyard up` starts: forked into sessions of their own; and how to end one that it knows."""

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from setproctitle import setproctitle

from workers.runner.process import identity, send

LOG_BYTES = 1_000_000  # what is in a longer log becomes <name>.log.1
GONE_SECONDS = 5.0  # the kernel's time to end a process after SIGKILL
CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)  # what the supervisor has handlers for
Target = Callable[[], None]


def start(name: str, target: Target, log: Path, let_go: Callable[[], None]) -> int:
    """Run `target` in a new process that ends when it returns; gives the pid.

    It has its own session, no terminal, and `log` as its output. `let_go` closes there what is the parent's.
    """
    with contextlib.suppress(OSError):  # a full disk; the supervisor says so when it tries again
        shorten(log)
    sys.stdout.flush()
    sys.stderr.flush()
    # Until the child has its own handlers a signal waits; ours would swallow it there.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
    try:
        pid = os.fork()
        if pid == 0:
            _become(name, target, log, let_go)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def command(argv: list[str]) -> Target:
    """A target that is another program."""
    return lambda: os.execv(argv[0], argv)


def shorten(log: Path) -> None:
    """Put the end of a log that grew long aside and empty it. Raises OSError.

    Whoever writes it goes on in the same file, at its new end (O_APPEND); what is written in this very moment is lost.
    """
    if not log.exists() or log.stat().st_size <= LOG_BYTES:
        return
    with log.open("r+b") as file:
        file.seek(-LOG_BYTES, os.SEEK_END)
        aside = log.with_name(log.name + ".1")
        try:
            with open(aside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as kept:
                kept.write(file.read(LOG_BYTES))
        finally:
            file.truncate(0)  # also where there is no room for what was to be kept


def kill_session(pid: int) -> None:
    """KILL a child of ours, not waited for yet, and what is left of its session."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has not made its session yet
        send(pid, signal.SIGKILL)


def kill(pid: int, who: str) -> None:
    """End a process at once and wait until it is gone, unless it ended and its pid is somebody else's by now."""
    if not who or identity(pid) != who:
        return
    send(pid, signal.SIGKILL)
    deadline = time.monotonic() + GONE_SECONDS
    while identity(pid) == who and time.monotonic() < deadline:
        time.sleep(0.005)


def _become(name: str, target: Target, log: Path, let_go: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        _reset_signals()
        let_go()
        _redirect(log)
        setproctitle(f"specyard {name}")
        target()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  it is the end of this process; it must never return into the parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in CAUGHT:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _redirect(log: Path) -> None:
    nowhere = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nowhere, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nowhere)
    os.close(output)
