"""The safety nets of a node. None of them travels through Celery; each is a plain function, the loop is at the end.

One plain thread per node process registers the node, renews leases, claims what a message should have started,
adopts what has no owner in this process, finds silent nodes, and tells the queue to look again.
"""

import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import psutil
from django.db import DatabaseError, connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from workers import ahead, driving, landing, launch, publisher
from workers.canary import canary
from workers.errors import LauncherUnavailable, StaleTransition
from workers.models import Attempt, Node, Totals, Worker, unit_of_work
from workers.models.worker import IS_ACTIVE, LEASE
from workers.pruning import Remover, old_runs, prune_events
from workers.runner.executors import registry
from workers.signals import slots_may_be_free
from workers.states import OWNED, AttemptStatus, ChunkOutcome, NodeStatus, Reason, Wish, WorkerStatus

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0
IDLE_SECONDS = 1.0  # an accepted worker that nobody has claimed for so long has lost its message
LEASE_GRACE = timedelta(seconds=60)  # after the end of a lease, before a silent node's work is given up
PRUNE_SECONDS = 60.0
DRAIN_SECONDS = 12.0
NEEDLESS = "its worker needs it no longer"
UNKNOWN = "this database knows no such worker, and nobody could ever take it up"


def capabilities() -> dict[str, object]:
    """What this machine offers."""
    return {
        "executors": sorted(registry()),
        "platform": platform.system().lower(),
        "cores": os.cpu_count() or 1,
        "memory": psutil.virtual_memory().total,
        "python": platform.python_version(),
    }


def register(name: str) -> Node:
    """Register this process as the voice of the node. From now on it can be given work."""
    return Node.register(name, uuid.uuid4().hex, capabilities(), driving.MOST_DRIVEN)


def heartbeat(node: Node) -> bool:
    """Report load and memory, renew the leases of what is driven here. False when another process took over."""
    heard = canary.take()
    if not node.heartbeat(load=os.getloadavg()[0], memory=psutil.virtual_memory().percent, canary=heard):
        return False
    for worker_id, epoch in driving.owned.all().items():
        renew(worker_id, epoch)
    end_unwanted_runs(node)
    return True


def end_unwanted_runs(node: Node) -> list[str]:
    """End runners that live here although their worker has ended, is run elsewhere or by a later runner, or is unknown.

    That is what a node finds when it comes back after its work was given up, or with another database than before, or
    an older state of it. What makes a run unwanted is never taken back, so that it does not matter whom it obeyed last:
    in a restored database its epoch may be lower than that of the run. Gives the runs that were ended.
    """
    try:
        runs = [run for run in launch.alive() if run.folder != ahead.NOBODY]
    except LauncherUnavailable:
        return []
    workers = Worker.objects.in_bulk({run.worker_id for run in runs})  # asked last: what runs was accepted before
    known = {worker.folder: worker for worker in workers.values()}
    unwanted = [run for run in runs if not _is_wanted(run, known.get(run.folder), node)]
    for run in unwanted:
        logger.warning("Run %s is ended: %s.", run.id, NEEDLESS if run.folder in known else UNKNOWN)
        try:
            launch.destroy(run, None)
        except LauncherUnavailable as error:
            logger.warning("Run %s could not be ended: %s", run.id, error)
    return [run.id for run in unwanted]


def _is_wanted(run: launch.Run, worker: Worker | None, node: Node) -> bool:
    return (
        worker is not None and worker.is_active and worker.node_id == node.pk and worker.incarnation == run.incarnation
    )


@unit_of_work
def renew(worker_id: int, epoch: int) -> None:
    """Renew one lease by the database's clock; a fenced owner renews nothing."""
    Worker.objects.filter(pk=worker_id, epoch=epoch, status__in=OWNED).update(lease_until=Now() + LEASE)


def find_work(node: Node) -> list[tuple[Callable[[int, int], None], int, int]]:
    """What this process should drive and does not: (driving.run or driving.adopt, worker, epoch).

    Nothing, once another process speaks for the node.
    """
    late = timezone.now() - timedelta(seconds=IDLE_SECONDS)
    waiting = Q(status=WorkerStatus.IDLE, created_at__lte=late) | Q(status__in=OWNED)
    mine_to_drive = Worker.objects.filter(IS_ACTIVE, waiting, node=node, node__instance=node.instance)
    rows = list(mine_to_drive.order_by("slot").values_list("pk", "epoch", "status"))
    mine = driving.owned.taken()  # asked last: what was accepted here a moment ago is taken by now
    return [
        (driving.run if status == WorkerStatus.IDLE else driving.adopt, pk, epoch)
        for pk, epoch, status in rows
        if pk not in mine
    ]


def take_up(node: Node) -> int:
    """Have everything driven that `find_work` finds. Gives how many."""
    found = find_work(node)
    for drive, pk, epoch in found:
        driving.submit(drive, pk, epoch)
    return len(found)


def find_silent() -> None:
    """Mark silent nodes offline and give up what ran on them, once their leases are long over."""
    if Node.silent().exists():
        Node.mark_silent()
    for worker in _abandoned().select_related("project"):
        give_up(worker)


def _abandoned() -> "QuerySet[Worker]":
    over = Now() - LEASE_GRACE
    held = Q(status=WorkerStatus.IDLE, created_at__lt=over) | Q(status__in=OWNED, lease_until__lt=over)
    silent = Q(node__status=NodeStatus.SILENT, node__last_seen__lt=over)
    unwanted = Q(node__status=NodeStatus.OFFLINE, desired=Wish.STOP)  # the node said goodbye, and nobody waits for it
    return Worker.objects.filter(IS_ACTIVE, held).filter(silent | unwanted).order_by("slot")


def give_up(worker: Worker) -> None:
    """Take a worker from a node that is gone, and end it: its workspace is out of reach."""
    taken = worker if worker.status == WorkerStatus.IDLE else Worker.adopt(worker.pk, worker.epoch)
    if taken is None:
        return
    try:
        _give_up(taken)
    except StaleTransition as stale:
        logger.info("Worker %s was not given up: %s", worker.pk, stale)


@unit_of_work
def _give_up(worker: Worker) -> None:
    running = Attempt.objects.select_related("chunk").filter(chunk__worker=worker, status=AttemptStatus.RUNNING)
    for attempt in running:
        attempt.close(worker, AttemptStatus.LOST, ChunkOutcome.PENDING, reason="node_lost")
    if worker.desired == Wish.STOP:
        worker.stopped(worker.desired_by, Reason(worker.reason or Reason.STOPPED))
    else:
        worker.fail(Reason.NODE_LOST, f"The node {worker.node.name} went silent.")


class Caretaker:
    """The loop of one node process."""

    def __init__(
        self, name: str, superseded: Callable[[], None] = lambda: None, keeper: ahead.Keeper | None = None
    ) -> None:
        self.name = name
        self.superseded = superseded
        self.keeper = keeper  # of workspaces made ahead
        self.node: Node | None = None
        self.fenced = threading.Event()  # another process speaks for this node
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="caretaker", daemon=True)
        self._next_heartbeat = 0.0
        self._next_pruning = 0.0
        self._remover = Remover()
        self._proven = False  # whether a message has arrived in this process

    def start(self) -> None:
        self._thread.start()

    def run_once(self) -> None:
        """One round. Raises DatabaseError."""
        if self.node is None:
            self.node = register(self.name)
        now = time.monotonic()
        if now >= self._next_heartbeat or (canary.has_arrived and not self._proven):
            self._proven |= canary.has_arrived
            self._next_heartbeat = now + HEARTBEAT_SECONDS
            if not heartbeat(self.node):
                self.step_down()
                return
            find_silent()
            if not driving.owned.draining.is_set():
                for landing_id in landing.pending(self.node):  # those whose message was lost
                    driving.land(landing_id)
                if self.keeper is not None:
                    self.keeper.want(ahead.wanted_on(self.node))
        if now >= self._next_pruning:
            self._next_pruning = now + PRUNE_SECONDS
            while Totals.fold():  # before events are forgotten that were not counted
                pass
            prune_events()
            if not self._remover.is_at_work:
                self._remover.begin(old_runs())
        canary.fly(self.name)
        if not driving.owned.draining.is_set():
            take_up(self.node)
            slots_may_be_free.send(Caretaker)

    def step_down(self) -> None:
        """Another process speaks for this node: drive nothing more and leave everything as it is."""
        logger.warning("Another process speaks for node %s; this one steps down.", self.name)
        driving.owned.superseded.set()
        self.fenced.set()
        self._end.set()
        self.superseded()

    def drain(self) -> None:
        """Let everything go: runners are interrupted, their chunks go on later, no attempt is charged."""
        driving.owned.draining.set()
        if self.node is not None and not self.fenced.is_set():
            self.node.drain()  # or it would be given, and give itself, what it does not take up any more
        driving.owned.wait_until_empty(DRAIN_SECONDS)
        if self.keeper is not None:
            self.keeper.close()
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(DRAIN_SECONDS)  # its next heartbeat would say that the node is here
        if self.node is not None and not self.fenced.is_set():
            self.node.unregister()

    def _loop(self) -> None:
        while not self._end.is_set():
            try:
                self.run_once()
            except DatabaseError as error:
                logger.warning("The database does not answer: %s", error)
                connection.close()
            except Exception:
                logger.exception("The caretaker goes on after this")  # without it, nothing is found any more
            self._end.wait(TICK_SECONDS)
        connection.close()


_caretakers: list[Caretaker] = []


def start(name: str, superseded: Callable[[], None]) -> Caretaker:
    """Start the caretaker of this node process; `superseded` is called when another process speaks for the node."""
    keeper = ahead.Keeper(driving.owned.draining)
    caretaker = Caretaker(name, superseded, keeper)
    _caretakers.append(caretaker)
    publisher.drive_here(name, driving.begin)
    keeper.start()
    caretaker.start()
    return caretaker


def take_nothing_more() -> None:
    """This process is about to end: engines let go, nothing new is taken up."""
    driving.owned.draining.set()


def drain() -> None:
    """Wait until everything is let go, at most DRAIN_SECONDS, and unregister the node."""
    for caretaker in _caretakers:
        caretaker.drain()
