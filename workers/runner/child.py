"""From the launcher's fork to a runner, and from one run to the next: nothing of what was before may stay."""

import asyncio
import logging
import os
import signal
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from workers.runner.loglines import MaskedLines
from workers.runner.masking import Mask
from workers.runner.orders import Start
from workers.runner.process import Children, become_subreaper
from workers.runner.server import Runner

log = logging.getLogger("specyard.runner")

# An order is a few paths.
ORDER_LIMIT = 64 * 1024
# Runs that one process carries out, one after the other; whatever they cost it in memory ends with it.
MOST_RUNS = 200
DONE = b"."

Order = tuple[Start, socket.socket]


class RunnerProcess:
    """The launcher's side of a process that carries out runs, one after the other.

    A new one waits for its first order unless it gets it right away. It ends by itself after a run that may have left
    something in it, and when the launcher's end of its channel is closed.
    """

    def __init__(self, let_go: Callable[[], None], first: Order | None = None) -> None:
        self.channel, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            self.channel.close()
            _become_runner(let_go, theirs, first)
        theirs.close()

    def has_ended(self) -> bool:
        """Whether the process died; it is reaped then."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:  # it has been reaped already
            return True

    def is_done(self) -> bool:
        """Whether its run is over and has left nothing: it waits for the next order. True once per run."""
        try:
            return self.channel.recv(1, socket.MSG_DONTWAIT) == DONE
        except OSError:
            return False

    def give(self, order: Start, listener: socket.socket) -> None:
        """Make it the runner of this order. Raises OSError when it is not there any more."""
        socket.send_fds(self.channel, [order.model_dump_json().encode()], [listener.fileno()])


def _become_runner(let_go: Callable[[], None], channel: socket.socket, first: Order | None) -> NoReturn:
    """Be a runner until its end, then exit. `let_go` closes what the launcher had open."""
    code = 1
    try:
        _reset_signals()
        let_go()
        os.setsid()
        become_subreaper()
        with asyncio.Runner() as loop:
            loop.run(_live(channel, first))
        code = 0
    except BaseException:  # noqa: BLE001  this is the end of the process, and it must never return into the launcher
        traceback.print_exc()
    finally:
        os._exit(code)


async def _live(channel: socket.socket, first: Order | None) -> None:
    await _Life(channel).run(first)


class _Life:
    """A runner process between its fork and its end."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.children = Children()
        self.runner: Runner | None = None
        self.runs = 0
        self.is_free = True  # for another run
        self.is_ending = False
        self._waiting: asyncio.Future[None] | None = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._end)

    async def run(self, order: Order | None) -> None:
        """Carry out one order after the other."""
        while self.is_free and not self.is_ending and (order := order or await self._next_order()):
            await self._carry_out(*order)
            order = None

    async def _carry_out(self, order: Start, listener: socket.socket) -> None:
        directory = Path(order.directory)
        _redirect(directory / "runner.log")
        mask = Mask()
        for handler in logging.getLogger().handlers:
            handler.setFormatter(MaskedLines(mask))
        self.runs += 1
        self.is_free = False
        self.runner = Runner(
            listener,
            run=order.run,
            directory=directory,
            socket_path=order.socket,
            worker=order.worker,
            children=self.children,
            mask=mask,
            on_end=self._run_is_over,
        )
        await self.runner.serve()
        self.runner = None

    def _run_is_over(self, leaves_nothing: bool) -> None:
        """Tell the launcher that this process is free again, if it is."""
        if not leaves_nothing or self.is_ending or self.runs >= MOST_RUNS:
            return
        try:
            self.channel.send(DONE)
        except OSError:
            return  # the launcher is gone
        self.is_free = True

    async def _next_order(self) -> Order | None:
        """Wait for an order; None when there will be none any more."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        loop.add_reader(self.channel, self._stop_waiting)
        await self._waiting
        loop.remove_reader(self.channel)
        if self.is_ending:
            return None
        data, descriptors, _, _ = socket.recv_fds(self.channel, ORDER_LIMIT, 1)
        return (Start.model_validate_json(data), socket.socket(fileno=descriptors[0])) if data else None

    def _stop_waiting(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _end(self) -> None:
        """A signal asks it to end."""
        self.is_ending = True
        if self.runner is not None:
            self.runner.quit()
        self._stop_waiting()


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
