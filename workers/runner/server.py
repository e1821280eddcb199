"""The runner: owns everything that one worker starts, obeys the highest epoch, and tells its journal."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.runner.clients import Client
from workers.runner.housekeeping import TICK, Housekeeping
from workers.runner.journal import Journal
from workers.runner.masking import Mask
from workers.runner.messages import (
    Answer,
    Attach,
    BadMessage,
    Checkpoint,
    Collect,
    Execute,
    Interrupt,
    Message,
    Pause,
    Prepare,
    Quit,
    Restore,
    Resume,
    Review,
    Tell,
    Work,
    parse,
)
from workers.runner.modes.direct import Direct
from workers.runner.pausing import Pausing
from workers.runner.process import Children, created, identity, write_json
from workers.runner.requests import Request
from workers.runner.surroundings import Surroundings
from workers.runner.temporary import KEPT, remove_tree
from workers.runner.tree import marker, tree_of

log = logging.getLogger("specyard.runner")


class Runner:
    """One run. `serve()` returns when it is over and nothing of it is left."""

    def __init__(
        self,
        listener: socket.socket,
        *,
        run: str,
        directory: Path,
        socket_path: str,
        worker: int,
        children: Children,
        mask: Mask,
        on_end: Callable[[bool], None],
    ) -> None:
        """`on_end` hears whether the run has left nothing in this process either, before clients hear of the end."""
        self.worker = worker
        self._on_end = on_end
        self._run = run
        self._listener = listener
        self._socket_path = socket_path
        self._journal = Journal(directory / "journal.ndjson")
        self._journal.on_append = self._appended
        mark = marker(run, str(directory))
        self._mode = Direct(tree_of(os.getpid(), mark), children)
        self._around = Surroundings(
            self._journal,
            self._mode,
            children,
            directory,
            mark,
            asyncio.Event(),
            kept={},
            mailbox=[],
            spared=set(),
            mask=mask,
        )
        self._around.may_run.set()
        self._house = Housekeeping(self._journal, lambda: self._request is not None, self.quit)
        self._pausing = Pausing(self._around, lambda: self._request, self._house.spawn)
        self._epoch = 0
        self._request: Request | None = None
        self._finished: set[str] = set()
        self._heard: set[int] = set()  # messages of people, by their ids
        self._leaves_nothing = self._mode.exact
        self._quitting = False
        self._over = asyncio.Event()

    async def serve(self) -> None:
        """Serve until `quit` or long idleness."""
        loop = asyncio.get_running_loop()
        write_json(self._around.directory / "runner.json", self._identity())
        self._recover()
        self._journal.append("ready", pid=os.getpid())
        self._listener.setblocking(False)
        loop.add_reader(self._listener, self._connect)
        self._house.begin()
        await self._over.wait()
        loop.remove_reader(self._listener)
        self._listener.close()
        await self._house.end()

    def _identity(self) -> dict[str, Any]:
        pid = os.getpid()
        facts = {"pid": pid, "created": created(pid), "identity": identity(pid)}
        return {"run": self._run, **facts, "socket": self._socket_path, "worker": self.worker}

    def _recover(self) -> None:
        for entry in self._journal.recover():
            if entry["kind"] == "attached":
                self._epoch = max(self._epoch, entry["epoch"])
            elif entry["kind"] == "finished":
                self._finished.add(entry["request"])
            elif entry["kind"] == "told":
                self._heard.add(entry["message"])

    # What connections tell

    def _connect(self) -> None:
        """Somebody knocks. asyncio's own server would lose those who come while it is being closed."""
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:  # no descriptor is free: whoever knocks waits
            log.warning("a connection could not be accepted: %s", error)
            self._listen_again_later()
            return
        connection.setblocking(False)
        self._house.spawn(self._welcome(connection))

    def _listen_again_later(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        loop.call_later(TICK, lambda: self._over.is_set() or loop.add_reader(self._listener, self._connect))

    async def _welcome(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: Client(self, self._journal), connection)

    def connected(self, client: Client) -> None:
        """A new connection, which has 30 s to attach."""
        if self._over.is_set():  # accepted in the moment of the end
            client.abort()
            return
        self._house.clients.add(client)

    def disconnected(self, client: Client) -> None:
        self._house.clients.discard(client)
        self._house.went_quiet()

    def received(self, client: Client, line: bytes) -> None:
        """One line from a client. Whatever it holds, it harms nobody but that client."""
        if self._over.is_set():
            return
        try:
            message = parse(line)
        except BadMessage as error:
            client.send(kind="error", error=str(error), request=error.request)
            return
        if isinstance(message, Attach):
            self._attach(client, message)
        elif client.epoch is None:
            client.send(kind="error", error="attach first")
        elif message.worker is not None and message.worker != self.worker:
            client.send(
                kind="error",
                error=f"this runner belongs to worker {self.worker}, not {message.worker}",
                request=getattr(message, "request", None),
            )
        else:
            self._obey(client, message)

    def _attach(self, client: Client, message: Attach) -> None:
        if message.epoch < self._epoch:
            self._fence(client)
            return
        client.epoch = message.epoch
        if message.epoch > self._epoch:
            self._epoch = message.epoch
            for other in list(self._house.clients):
                if other.epoch is not None and other.epoch < self._epoch:
                    self._fence(other)
            self._journal.append("attached", epoch=self._epoch)
        client.follow(message.start)

    def _fence(self, client: Client) -> None:
        client.send(kind="fenced", epoch=self._epoch)
        client.close()

    def _obey(self, client: Client, message: Message) -> None:
        match message:
            case Pause():
                self._pausing.pause()
            case Resume():
                self._pausing.resume()
            case Interrupt():
                self._interrupt(message.reason)
            case Answer():
                if self._request is not None:
                    self._request.answer(message)
            case Tell():
                self._hear(message)
            case Quit():
                self.quit()
            case Prepare() | Execute() | Review() | Checkpoint() | Restore() | Collect():
                self._accept(client, message)

    # Requests

    def _accept(self, client: Client, message: Work) -> None:
        """Start a request, unless it runs or has finished: then the journal answers, and nothing happens."""
        if message.request in self._finished or (self._request and self._request.id == message.request):
            return
        if self._quitting or self._request is not None:
            why = "the runner is ending" if self._quitting else f"request {self._request and self._request.id} runs"
            client.send(kind="error", error=why, request=message.request)
            return
        self._request = Request(message, self._around)
        self._house.spawn(self._perform(self._request))

    async def _perform(self, request: Request) -> None:
        await request.perform()
        self._leaves_nothing &= request.leaves_nothing
        self._finished.add(request.id)
        self._request = None
        self._house.went_quiet()
        self._house.sync_soon()

    def _interrupt(self, reason: str) -> None:
        if self._request is None:
            return
        self._request.interrupt(reason)
        self._pausing.wait_for_end()

    def _hear(self, message: Tell) -> None:
        """Take in what a person says, once; again only that it has become urgent, while nobody has been told."""
        mailbox = self._around.mailbox
        if message.message in self._heard:
            known = [one for one in mailbox if one.message == message.message and message.now and not one.now]
            if not known:
                return
            mailbox.remove(known[0])
        self._heard.add(message.message)
        mailbox.append(message)
        if self._request is not None:
            self._request.mail_came()

    def quit(self) -> None:
        """End what runs, then the run."""
        if not self._quitting:
            self._quitting = True
            self._house.spawn(self._end())

    async def _end(self) -> None:
        while self._request is not None:
            self._interrupt("stop")
            await asyncio.sleep(0.005)
        await self._mode.kill()
        if (kept := self._around.directory / KEPT).exists():
            await asyncio.get_running_loop().run_in_executor(None, remove_tree, kept)
        for path in (self._around.directory / "runner.json", Path(self._socket_path)):
            path.unlink(missing_ok=True)  # this process is nobody's any more
        self._on_end(self._leaves_nothing and self._house.is_tidy)
        self._journal.append("ended")
        self._over.set()

    def _appended(self, line: bytes, offset: int) -> None:
        for client in self._house.clients:
            client.appended(line, offset)
