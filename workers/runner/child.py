"""From the launcher's fork to a runner: nothing of the launcher may stay open or handled in it."""

import asyncio
import gc
import logging
import os
import signal
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from workers.runner.process import become_subreaper
from workers.runner.server import Runner

log = logging.getLogger("specyard.runner")


def become_runner(
    listener: socket.socket,
    *,
    run: str,
    directory: Path,
    socket_path: str,
    worker: int,
    let_go: Callable[[], None],
) -> NoReturn:
    """Be the runner until its end, then exit. `let_go` closes what the launcher had open."""
    code = 1
    try:
        _reset_signals()
        let_go()
        os.setsid()
        become_subreaper()
        _redirect(directory / "runner.log")
        gc.enable()
        asyncio.run(_serve(listener, run, directory, socket_path, worker))
        code = 0
    except BaseException:  # noqa: BLE001  this is the end of the process, and it must never return into the launcher
        traceback.print_exc()
    finally:
        os._exit(code)


async def _serve(listener: socket.socket, run: str, directory: Path, socket_path: str, worker: int) -> None:
    runner = Runner(listener, run=run, directory=directory, socket_path=socket_path, worker=worker)
    await runner.serve()


def _reset_signals() -> None:
    """The launcher's handlers go; what Python ignores (SIGPIPE) stays ignored, and children get it back by Popen."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)  # an ignored one would be ignored in every command too
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _redirect(path: Path) -> None:
    """stdin from nowhere, stdout and stderr to a file: the launcher's own may be a pipe that nobody reads."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nowhere, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    os.close(nowhere)
    os.close(file)
