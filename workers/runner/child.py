"""From the launcher's fork to a runner: nothing of the launcher may stay open or handled in it."""

import asyncio
import logging
import os
import signal
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from workers.runner.orders import Start
from workers.runner.process import become_subreaper
from workers.runner.server import Runner

log = logging.getLogger("specyard.runner")

# An order is a few paths.
ORDER_LIMIT = 64 * 1024


Obtained = tuple[Start, socket.socket]


def become_runner(let_go: Callable[[], None], obtain: Callable[[], Obtained | None]) -> NoReturn:
    """Be a runner until its end, then exit.

    `let_go` closes what the launcher had open; `obtain` gives the order and its listening socket, or None for none.
    """
    code = 1
    try:
        _reset_signals()
        let_go()
        os.setsid()
        become_subreaper()
        with asyncio.Runner() as loop:
            loop.get_loop()
            if (obtained := obtain()) is not None:
                loop.run(_serve(*obtained))
        code = 0
    except BaseException:  # noqa: BLE001  this is the end of the process, and it must never return into the launcher
        traceback.print_exc()
    finally:
        os._exit(code)


async def _serve(order: Start, listener: socket.socket) -> None:
    directory = Path(order.directory)
    _redirect(directory / "runner.log")
    runner = Runner(listener, run=order.run, directory=directory, socket_path=order.socket, worker=order.worker)
    await runner.serve()


class Spare:
    """A runner that is forked already and waits for its order, so that a start need not wait for a fork.

    It ends by itself when the launcher's end of its channel is closed.
    """

    def __init__(self, let_go: Callable[[], None]) -> None:
        self.channel, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            self.channel.close()
            become_runner(let_go, lambda: _wait_for_order(theirs))
        theirs.close()

    def has_ended(self) -> bool:
        """Whether it died; it is reaped then."""
        return os.waitpid(self.pid, os.WNOHANG)[0] != 0

    def give(self, order: Start, listener: socket.socket) -> None:
        """Make it the runner of this order. Raises OSError when it is not there any more."""
        with self.channel:
            socket.send_fds(self.channel, [order.model_dump_json().encode()], [listener.fileno()])


def _wait_for_order(channel: socket.socket) -> Obtained | None:
    with channel:
        data, descriptors, _, _ = socket.recv_fds(channel, ORDER_LIMIT, 1)
    return (Start.model_validate_json(data), socket.socket(fileno=descriptors[0])) if data else None


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
