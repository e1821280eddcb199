"""What a person wants to become of a worker's branch, and what became of it."""

from collections.abc import Sequence
from functools import partial

from django.db import models
from django.db.models import Q
from django.utils import timezone

from specs.acting import record
from specs.fields import CleanCharField, CleanTextField
from workers import publisher
from workers.errors import StaleTransition
from workers.models.event import after_commit, assign, emit, unit_of_work
from workers.models.worker import Worker
from workers.states import EventKind, LandingKind

PENDING = Q(done_at=None)
VISIBLE = str.maketrans({"\n": "⏎", "\t": "⇥"})  # in a path, where lines and columns have a meaning


class Landing(models.Model):
    """One try at merging or discarding a branch. The node of the worker carries it out."""

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="landings")
    kind = models.CharField(max_length=10, choices=LandingKind.choices)
    asked_by = CleanCharField(max_length=150, blank=True)
    asked_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)
    commit = models.CharField(max_length=64, blank=True)  # where the base stands after a merge
    error = CleanTextField(blank=True)  # why nothing was merged or discarded; below it, a line for each conflict

    class Meta:
        ordering = ("-pk",)
        indexes = [models.Index(fields=("done_at",), name="landing_done_at")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=tuple(LandingKind.values)), name="landing_kind_is_known"),
            models.UniqueConstraint(fields=("worker",), condition=PENDING, name="worker_has_one_landing_under_way"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of worker {self.worker_id}"

    @classmethod
    @unit_of_work
    def ask(cls, worker: Worker, kind: LandingKind, by: str) -> "Landing":
        """Ask the worker's node to merge or discard its branch.

        Repeating it while it is under way changes nothing. Raises StaleTransition where there is nothing to land.
        """
        fresh = Worker.objects.select_for_update(of=("self",)).select_related("node").get(pk=worker.pk)
        if under_way := fresh.landings.filter(PENDING).first():
            return under_way
        if reason := refusal(fresh):
            raise StaleTransition(reason, current=fresh.state)
        landing = cls.objects.create(worker=fresh, kind=kind, asked_by=by)
        emit(EventKind.WORKER_PROGRESS, fresh.pk, landing=kind, by=by)
        record(f"worker.{kind}", fresh, after={"branch": fresh.branch}, by=by)
        after_commit(partial(publisher.land, fresh.node.name, landing.pk))
        return landing

    @classmethod
    @unit_of_work
    def removed(cls, worker: Worker, by: str) -> "Landing":
        """Record that the directory of an ended worker, no worktree, goes: whoever continues it begins anew."""
        landing = cls.objects.create(worker=worker, kind=LandingKind.DISCARD, asked_by=by, done_at=timezone.now())
        emit(EventKind.WORKER_PROGRESS, worker.pk, landing=LandingKind.DISCARD, by=by)
        record("worker.discard", worker, after={"workspace": worker.workspace}, by=by)
        return landing

    @unit_of_work
    def succeeded(self, commit: str = "") -> None:
        """Record that the branch has landed."""
        self._end(commit=commit, error="")

    @unit_of_work
    def failed(self, error: str, conflicts: Sequence[tuple[str, str]] = ()) -> None:
        """Record why it has not, with the files that were in the way, and that everything is as it was."""
        lines = ["\t".join(part.translate(VISIBLE) for part in conflict) for conflict in conflicts]
        self._end(commit="", error="\n".join([error, *lines]))

    @property
    def complaint(self) -> str:
        """Why it has failed, in a sentence."""
        return self.error.partition("\n")[0]

    @property
    def conflicts(self) -> list[tuple[str, str]]:
        """The files that could not be merged, each with what happened to it."""
        return [(path, what) for path, _, what in (line.partition("\t") for line in self.error.split("\n")[1:])]

    def _end(self, *, commit: str, error: str) -> None:
        facts = {"done_at": timezone.now(), "commit": commit, "error": error}
        if Landing.objects.filter(PENDING, pk=self.pk).update(**facts):
            assign(self, facts)
            emit(EventKind.WORKER_PROGRESS, self.worker_id, landing=self.kind, failed=bool(error))


def is_discarded(worker: Worker) -> bool:
    """Whether its branch and worktree, or its copy, were, or are about to be, removed."""
    return (
        bool(worker.branch or worker.workspace) and worker.landings.filter(kind=LandingKind.DISCARD, error="").exists()
    )


def refusal(worker: Worker) -> str:
    """Why the branch of the worker cannot be merged or discarded now, as a sentence; "" when it can."""
    if not worker.branch:
        return f"Worker {worker.pk} has no branch of its own."
    if worker.is_active:
        return f"Worker {worker.pk} still works on its branch."
    if is_discarded(worker):
        return f"The branch of worker {worker.pk} was discarded."
    if worker.continued_by.exists():
        return f"Another worker has continued the branch of worker {worker.pk}."
    return ""
