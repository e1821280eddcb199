"""A worker runs one spec. All that may happen to one is a verb here; nobody else writes its status."""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from specs.acting import record
from workers import publisher
from workers.errors import Fenced, StaleTransition
from workers.models.event import after_commit, assign, emit, unit_of_work
from workers.models.worker_row import IS_ACTIVE, IS_FINAL, WAITS_LENGTH, WorkerRow
from workers.signals import slots_may_be_free
from workers.states import ACTIVE, FINAL, OWNED, EventKind, Reason, Step, Wish, WorkerStatus

if TYPE_CHECKING:
    from workers.models.plan import WorkerChunk

__all__ = ["GONE", "IS_ACTIVE", "IS_FINAL", "IS_OPEN", "LEASE", "Worker"]

LEASE = timedelta(seconds=30)
# Of its questions.
IS_OPEN = Q(answered_at__isnull=True, closed="")
GONE = "gone"
# What the record of actions calls a wish, or a stop for a reason.
VERBS = {
    Wish.RUN: "worker.resume",
    Wish.PAUSE: "worker.pause",
    Reason.STOPPED: "worker.stop",
    Reason.REQUEUED: "worker.requeue",
}


class Worker(WorkerRow):
    """One run of one spec in one slot.

    `desired` is what people want, `status` is what is true. `epoch` names the owner: every write of an owner
    carries it, every takeover raises it. `incarnation` names the runner.
    """

    class Meta(WorkerRow.Meta):
        abstract = False

    plan: "list[WorkerChunk] | None" = None  # its chunks, for whoever drives it right after it was accepted

    # What people ask for. A wish is recorded and a flag is raised; the owner makes it true.

    @unit_of_work
    def request_pause(self, by: str) -> None:
        """Ask that the whole tree is frozen. Raises StaleTransition when the worker has ended or is stopping."""
        self._wish(Wish.PAUSE, by)

    @unit_of_work
    def request_resume(self, by: str) -> None:
        """Ask that the work goes on. Raises StaleTransition when the worker has ended or is stopping."""
        self._wish(Wish.RUN, by)

    @unit_of_work
    def request_stop(self, by: str, reason: Reason = Reason.STOPPED) -> None:
        """Ask that everything ends. A worker that nobody has claimed yet is stopped on the spot.

        Repeating it changes nothing. Raises StaleTransition when the worker has ended.
        """
        fresh = Worker.objects.select_for_update().get(pk=self.pk)
        if fresh.status == WorkerStatus.IDLE:
            fresh.stopped(by, reason)
            record(VERBS[reason], fresh, before={"desired": fresh.desired}, after={"desired": Wish.STOP}, by=by)
        elif fresh.desired != Wish.STOP:
            fresh._wish(Wish.STOP, by, reason=reason)
        elif fresh.status in FINAL:
            raise StaleTransition(f"Worker {self.pk} has already ended.", current=fresh.state)
        self.refresh_from_db()

    @unit_of_work
    def request_removal(self, by: str) -> None:
        """Ask that everything ends and that it leaves the list of active workers; its history stays.

        Repeating it changes nothing. One that has ended leaves at once.
        """
        fresh = Worker.objects.select_for_update().get(pk=self.pk)
        if fresh.status in ACTIVE:
            fresh.request_stop(by)
        if not fresh.removed:
            Worker.objects.filter(pk=self.pk).update(removed=True)
            emit(EventKind.WORKER_PROGRESS, self.pk, removed=True, by=by)
            record("worker.remove", fresh, before={"removed": False}, after={"removed": True}, by=by)
        self.refresh_from_db()

    def _wish(self, wish: Wish, by: str, **also: Any) -> None:
        wanted = Worker.objects.filter(IS_ACTIVE, pk=self.pk).exclude(desired=Wish.STOP)
        before = wanted.select_for_update().values_list("desired", flat=True).first()
        if not wanted.update(desired=wish, desired_by=by, **also):
            fresh = Worker.objects.get(pk=self.pk)
            ends = f"Worker {self.pk} is stopping." if fresh.is_active else f"Worker {self.pk} has already ended."
            raise StaleTransition(ends, current=fresh.state)
        assign(self, {"desired": wish, "desired_by": by})
        emit(EventKind.WORKER_PROGRESS, self.pk, desired=wish, by=by)
        if before != wish:
            record(VERBS[also.get("reason", wish)], self, before={"desired": before}, after={"desired": wish}, by=by)
        after_commit(partial(publisher.wish_changed, self.pk, wish))

    # What owners record. Each carries the epoch; a fenced owner gets Fenced and has to let go.

    @classmethod
    @unit_of_work
    def claim(cls, pk: int, epoch: int) -> "Worker | None":
        """Take an accepted worker into work, with its first runner numbered.

        None when there is nothing to claim (doubled or late message).
        """
        mine = cls.objects.filter(pk=pk, epoch=epoch, status=WorkerStatus.IDLE)
        if not mine.update(**cls.as_claimed()):
            return None
        worker = cls.objects.select_related("project", "spec").get(pk=pk)
        emit(EventKind.WORKER_STARTED, pk, **worker.summary)
        return worker

    @staticmethod
    def as_claimed() -> dict[str, Any]:
        """The fields of a worker that its owner takes into work."""
        status, lease = WorkerStatus.RUNNING, Now() + LEASE
        return {"status": status, "started_at": timezone.now(), "lease_until": lease, "incarnation": 1}

    @classmethod
    @unit_of_work
    def adopt(cls, pk: int, epoch: int) -> "Worker | None":
        """Take a worker over from the owner with `epoch`. None when it has ended or somebody else was faster."""
        theirs = cls.objects.filter(pk=pk, epoch=epoch, status__in=OWNED)
        if not theirs.update(epoch=epoch + 1, lease_until=Now() + LEASE):
            return None
        return cls.objects.select_related("project", "spec", "node").get(pk=pk)

    def read_wish(self) -> Wish:
        """What people want now. Raises Fenced for an owner that was overtaken."""
        self.desired, self.desired_by, epoch = Worker.objects.values_list("desired", "desired_by", "epoch").get(
            pk=self.pk
        )
        if epoch != self.epoch:
            raise Fenced
        return Wish(self.desired)

    def own(self, **changes: Any) -> None:
        """Write as the owner, within a unit of work. Raises Fenced when the epoch or the worker has moved on."""
        if not Worker.objects.filter(pk=self.pk, epoch=self.epoch, status__in=OWNED).update(**changes):
            raise Fenced
        assign(self, changes)

    def prove(self) -> None:
        """Make sure, within a unit of work, that this is the owner, and lock the row. Raises Fenced."""
        mine = Worker.objects.select_for_update().filter(pk=self.pk, epoch=self.epoch, status__in=OWNED)
        if mine.values_list("pk", flat=True).first() is None:
            raise Fenced

    @unit_of_work
    def new_incarnation(self, number: int | None = None) -> int:
        """Number the next runner; the caller has made sure that the tree of the one before is dead."""
        self.own(incarnation=number or self.incarnation + 1)
        return self.incarnation

    @unit_of_work
    def prepared(self, workspace: str, branch: str = "", base_commit: str = "") -> None:
        """Record that the workspace is ready; for a git worktree, its branch and what that began with."""
        facts = {"workspace": workspace, "branch": branch, "base_commit": base_commit}
        self.own(**facts, prepared_at=timezone.now(), step=Step.EXECUTING)
        emit(EventKind.WORKER_PROGRESS, self.pk, step=Step.EXECUTING)

    @unit_of_work
    def paused(self) -> None:
        """Record that the runner has frozen the whole tree."""
        if self._become(WorkerStatus.PAUSED, (WorkerStatus.RUNNING,), paused_at=timezone.now()):
            emit(EventKind.WORKER_PAUSED, self.pk, by=self.desired_by)

    @unit_of_work
    def resumed(self) -> None:
        """Record that the runner goes on."""
        if self._become(WorkerStatus.RUNNING, (WorkerStatus.PAUSED,), **self._pause_is_over()):
            emit(EventKind.WORKER_RESUMED, self.pk)

    @unit_of_work
    def waits(self, what: str) -> None:
        """Record what it waits for by itself, such as the end of a rate limit; "" when it goes on."""
        self.own(waits_for=what[:WAITS_LENGTH])
        emit(EventKind.WORKER_PROGRESS, self.pk, waits_for=what[:WAITS_LENGTH])

    def questions_changed(self) -> None:
        """Record, within a unit of work, the oldest of the questions that wait for a person now."""
        waiting = list(self.questions.filter(IS_OPEN).order_by("pk"))
        self.own(attention=waiting[0].sentence if waiting else "")
        emit(EventKind.WORKER_ATTENTION, self.pk, open=len(waiting))

    @unit_of_work
    def completed(self) -> None:
        """Record that every chunk passed or was skipped."""
        self._end(WorkerStatus.COMPLETED, EventKind.WORKER_COMPLETED, "", "")

    @unit_of_work
    def fail(self, reason: Reason, error: str) -> None:
        """Record that the work cannot be carried on."""
        self._end(WorkerStatus.FAILED, EventKind.WORKER_FAILED, reason, error)

    @unit_of_work
    def stopped(self, by: str, reason: Reason = Reason.STOPPED) -> None:
        """Record that a person ended it and that nothing of it is left running."""
        error = f"Stopped by {by}." if reason == Reason.STOPPED else f"Put back into the queue by {by}."
        self._end(WorkerStatus.STOPPED, EventKind.WORKER_STOPPED, reason, error)

    def _end(self, status: WorkerStatus, kind: EventKind, reason: str, error: str) -> None:
        sources = OWNED if status == WorkerStatus.COMPLETED else ACTIVE
        now = timezone.now()
        ends: dict[str, Any] = {"slot": None, "completed_at": now, "reason": reason, "error": error}
        ends |= {"attention": "", "waits_for": ""}
        if self.attention and self.questions.filter(IS_OPEN).update(closed=GONE):
            emit(EventKind.WORKER_ATTENTION, self.pk, open=0)
        if self._become(status, sources, lease_until=None, **ends, **self._pause_is_over()):
            emit(kind, self.pk, **self.summary, reason=reason, error=error)
            after_commit(_ring_slots)

    def _pause_is_over(self) -> dict[str, Any]:
        pause = timezone.now() - self.paused_at if self.paused_at else timedelta()
        return {"paused_at": None, "paused_for": self.paused_for + pause}

    def _become(self, status: WorkerStatus, sources: tuple[WorkerStatus, ...], **changes: Any) -> bool:
        """The one compare-and-set of `status`. False when it was so already; raises Fenced or StaleTransition."""
        mine = Worker.objects.filter(pk=self.pk, epoch=self.epoch, status__in=sources)
        if mine.update(status=status, **changes):
            assign(self, {"status": status, **changes})
            return True
        fresh = Worker.objects.get(pk=self.pk)
        if fresh.epoch != self.epoch:
            raise Fenced
        if fresh.status == status:
            assign(self, {"status": status})
            return False
        raise StaleTransition(
            f"Worker {self.pk} is {fresh.status}, so it cannot become {status}.", current=fresh.status
        )


def _ring_slots() -> None:
    slots_may_be_free.send(Worker)
