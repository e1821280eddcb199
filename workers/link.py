"""An owner's line to the runner of its worker: one is started or found again, asked, listened to and ended."""

import logging
import time
from dataclasses import replace
from typing import Any

from workers import launch
from workers.errors import Fenced, LaunchFailed, RunnerLost, RunnerRefused
from workers.launch import Connection, Entry, Launching, Run
from workers.models import Worker, retrying
from workers.states import Reason, Wish, WorkerStatus

logger = logging.getLogger(__name__)

GRACE_SECONDS = 3.0  # between TERM and KILL
END_SECONDS = 8.0  # for a runner to end what it runs; then its tree is destroyed
LISTEN_SECONDS = 0.05  # between two looks at the wishes


class StopRequested(Exception):
    """A person wants the worker to end."""


class GivenUp(Exception):
    """The work cannot be carried on."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class RunnerLink:
    """Holds nothing that is not in the database or in the runner's journal. One thread."""

    def __init__(self, worker: Worker, *, fresh: bool) -> None:
        self.worker = worker
        self.fresh = fresh  # just claimed: nobody has started a runner yet
        self.launching: Launching | None = None
        self.connection: Connection | None = None
        self.results: dict[str, Entry] = {}
        self.begun: set[str] = set()  # requests that a runner which is dead now had begun
        self.asked = Wish.RUN  # what the runner has been asked to do

    def heed(self) -> None:
        """Look, between two journal entries, at what people and this process want."""

    def remember(self, entry: Entry) -> None:
        """A journal was read that tells what happened while nobody listened."""

    def output(self, entry: Entry) -> None:
        """The runner has told how far the output of an attempt reaches."""

    @property
    def run_id(self) -> Run:
        return Run(self.worker.folder, self.worker.incarnation)

    def find_runner(self) -> None:
        """Attach to the runner of an earlier owner, or make sure that it is dead and learn what it had finished."""
        if self.fresh and self.run_id.has_begun:  # in a future that the database, restored from a backup, has lost
            self.begin_runner()
            return
        if self.fresh:
            self.launching = launch.begin(self.run_id)
            return
        try:
            self.connection = launch.connect(self.run_id)
            self.catch_up()
        except RunnerLost:
            self.forget_runner()

    def catch_up(self) -> None:
        """Become the runner's owner; take in what stands in its journal and whether it is frozen."""
        assert self.connection is not None
        frozen = False
        for entry in launch.attach(self.run_id, self.connection, self.worker.epoch):
            if entry["kind"] == "finished":
                self.results[entry["request"]] = entry["result"]
            elif entry["kind"] in ("paused", "resumed"):
                frozen = entry["kind"] == "paused"
            else:
                self.remember(entry)
        self.asked = Wish.PAUSE if frozen else Wish.RUN
        if frozen and self.worker.status == WorkerStatus.RUNNING:
            self.worker.paused()
        elif not frozen and self.worker.status == WorkerStatus.PAUSED and self.worker.desired == Wish.RUN:
            self.worker.resumed()

    def forget_runner(self) -> None:
        """The runner is gone, or should be: nothing of it may be left, and what it had finished counts."""
        self.destroy_runner()
        for entry in self.run_id.entries():
            if entry["kind"] == "started":
                self.begun.add(entry["request"])
            elif entry["kind"] == "finished":
                self.results[entry["request"]] = entry["result"]
            else:
                self.remember(entry)

    def destroy_runner(self) -> None:
        """Make sure that nothing of the runner is left. Raises Fenced or LauncherUnavailable."""
        self.hang_up()
        self.read_wish()  # raises Fenced for an owner that was overtaken; the launcher checks the epoch once more
        launch.destroy(self.run_id, self.worker.epoch)

    def begin_runner(self) -> None:
        """Ask for the next incarnation, unless there is a runner; the one before is dead."""
        if self.connection is None and self.launching is None:
            run = Run(self.worker.folder, self.worker.incarnation + 1)
            while run.has_begun:  # a database that was restored from a backup would give its number once more
                run = replace(run, incarnation=run.incarnation + 1)
            self.worker.new_incarnation(run.incarnation)
            self.launching = launch.begin(self.run_id)

    def finish_runner(self) -> None:
        """Connect to the runner that was asked for. A worker that should be paused starts frozen."""
        if self.launching is None:
            return
        launching, self.launching = self.launching, None
        try:
            self.connection = launching.finish()
        except LaunchFailed as failure:
            raise GivenUp(Reason.LAUNCH_FAILED, str(failure)) from failure
        launch.hail(self.run_id, self.connection, self.worker.epoch)
        self.asked = Wish.RUN
        if self.worker.status == WorkerStatus.PAUSED and self.worker.desired == Wish.RUN:
            self.worker.resumed()
        self.obey(self.read_wish())

    def request(self, op: str, request: str, **fields: Any) -> Entry:
        """Have the runner carry out a request and give its result. Raises RunnerLost, StopRequested, Draining …"""
        if request in self.results:
            return self.results[request]
        self.begin_runner()
        self.finish_runner()
        self.say(op, request=request, grace=GRACE_SECONDS, **fields)
        while request not in self.results:
            self.listen()
        if self.results[request]["outcome"] == "interrupted":
            raise RunnerLost  # nobody here asked for it: somebody else has told the runner to end
        return self.results[request]

    def say(self, op: str, **fields: Any) -> None:
        assert self.connection is not None
        self.connection.send({"op": op, "worker": self.worker.pk, **fields})

    def listen(self) -> None:
        """Take in the next journal entry, if one comes soon, and heed what is wanted."""
        assert self.connection is not None
        entry = self.connection.receive(LISTEN_SECONDS)
        if entry is not None:
            self.take_in(entry)
        self.heed()

    def take_in(self, entry: Entry) -> None:
        """Turn one journal entry into rows and events."""
        kind = entry["kind"]
        if kind == "finished":
            self.results[entry["request"]] = entry["result"]
        elif kind == "output":
            self.output(entry)
        elif kind == "paused":
            self.asked = Wish.PAUSE  # perhaps by an owner before this one, whose pause took until now
            self.worker.paused()
        elif kind == "resumed":
            self.asked = Wish.RUN
            self.worker.resumed()
        elif kind == "fenced":
            raise Fenced
        elif kind == "error":
            raise RunnerRefused(entry["error"])

    def read_wish(self) -> Wish:
        """What people want now. Raises Fenced for an owner that was overtaken."""
        return retrying(self.worker.read_wish)

    def obey(self, wish: Wish) -> None:
        """Pass a wish on to the runner; what becomes true comes back in the journal."""
        if wish == Wish.STOP:
            raise StopRequested
        if wish != self.asked:
            self.say("pause" if wish == Wish.PAUSE else "resume")
            self.asked = wish

    def end_runner(self, reason: str = "") -> None:
        """End the runner and make sure that nothing of it is left. Raises LauncherUnavailable when that is unsure."""
        if self.connection is not None and self.see_out(reason):
            self.hang_up()
            launch.destroy(self.run_id, self.worker.epoch)  # its process may take a moment more than its last word
        else:
            self.forget_runner()

    def see_out(self, reason: str) -> bool:
        """Ask the runner to end what it runs and then itself. Whether it has, within END_SECONDS."""
        deadline = time.monotonic() + END_SECONDS
        assert self.connection is not None
        try:
            if reason:
                self.say("interrupt", reason=reason)
            self.say("quit")
            while (left := deadline - time.monotonic()) > 0:
                entry = self.connection.receive(left)
                if entry and entry["kind"] == "finished":
                    self.results[entry["request"]] = entry["result"]
                elif entry and entry["kind"] in ("ended", "fenced"):
                    return bool(entry["kind"] == "ended")
                elif entry:
                    self.remember(entry)
        except RunnerLost:
            logger.info("The runner of worker %s ended before it said so", self.worker.pk)
        return False

    def hang_up(self) -> None:
        """Close every connection; runner and launcher go on."""
        if self.launching is not None:
            self.launching.connection.close()
            self.launching = None
        if self.connection is not None:
            self.connection.close()
            self.connection = None
