"""The plan of a worker, frozen at its start: what happens to the spec meanwhile does not matter."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import models

from specs import limits
from specs.fields import CleanCharField, CleanJSONField, CleanTextField
from specs.models import Spec
from workers import publisher
from workers.models.event import after_commit, assign, emit, unit_of_work
from workers.models.landing import is_discarded
from workers.models.node import Node
from workers.models.worker import Worker
from workers.states import AGENT, ChunkOutcome, EventKind

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from workers.models.attempt import Attempt


class WorkerChunk(models.Model):
    """One chunk of a worker's plan, copied from the spec, with its outcome."""

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="chunks")
    ordinal = models.PositiveIntegerField()  # from 1
    key = models.CharField(max_length=100)
    title = CleanCharField(max_length=300)
    instructions = CleanTextField(blank=True)
    acceptance = CleanJSONField(default=list, blank=True)
    executor = CleanCharField(max_length=limits.NAME_LENGTH)
    params = CleanJSONField(default=dict, blank=True)
    review = CleanJSONField(default=dict, blank=True)
    timeout = models.PositiveIntegerField()  # seconds of wall time, pauses excluded
    depends_on = CleanJSONField(default=list, blank=True)
    files = CleanJSONField(default=list, blank=True)
    artifacts = CleanJSONField(default=list, blank=True)  # patterns of the files that are kept of each attempt
    outcome = models.CharField(max_length=10, choices=ChunkOutcome.choices, default=ChunkOutcome.PENDING)
    commit = models.CharField(max_length=64, blank=True)  # where the branch stood after it had passed
    attempts: "RelatedManager[Attempt]"
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("worker", "ordinal")
        constraints = [
            models.UniqueConstraint(fields=("worker", "ordinal"), name="chunk_ordinal_is_unique_per_worker"),
            models.UniqueConstraint(fields=("worker", "key"), name="chunk_key_is_unique_per_worker"),
            models.CheckConstraint(
                condition=models.Q(outcome__in=tuple(ChunkOutcome.values)), name="chunk_outcome_is_known"
            ),
            models.CheckConstraint(condition=models.Q(ordinal__gte=1), name="chunk_ordinal_starts_at_one"),
        ]

    def __str__(self) -> str:
        return f"{self.ordinal}. {self.title}"

    @unit_of_work
    def skip(self, worker: Worker) -> None:
        """Leave the chunk out, as the worker's owner."""
        worker.own(skipped=worker.skipped + 1)
        self.change(outcome=ChunkOutcome.SKIPPED)
        emit(EventKind.WORKER_PROGRESS, worker.pk, chunk=self.ordinal, outcome=ChunkOutcome.SKIPPED)

    def settle(self, outcome: ChunkOutcome, at: datetime, commit: str = "") -> None:
        """Write the outcome, within the unit of work of the attempt that led to it."""
        self.change(outcome=outcome, finished_at=at if outcome != ChunkOutcome.PENDING else None, commit=commit)

    def change(self, **changes: Any) -> None:
        """Write fields, within a unit of work that has proved who owns the worker."""
        WorkerChunk.objects.filter(pk=self.pk).update(**changes)
        assign(self, changes)

    @property
    def uses_agent(self) -> bool:
        """Whether an agent carries it out or reviews it."""
        return self.executor == AGENT or "agent" in self.review

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be done for this chunk."""
        return self.outcome in (ChunkOutcome.PASSED, ChunkOutcome.FAILED, ChunkOutcome.SKIPPED)


@unit_of_work
def accept(spec: Spec, slot: int, node: Node, by: str, continues: Worker | None = None) -> Worker:
    """Give the spec a slot on a node, with its plan copied in, and ask the node to claim the new worker.

    A node that does this for itself has claimed it by that. With `continues` the new worker inherits that worker's
    workspace, the chunks that passed in it and its agent's session, unless they were discarded.
    """
    drive_here = publisher.driver_here(node.name)
    before = Worker.objects.select_for_update().get(pk=continues.pk) if continues else None
    if before and is_discarded(before):  # under its lock: one who discards looks under it whether it was continued
        before = None
    plan = frozen_plan(spec, before)
    worker = Worker.objects.create(
        spec=spec,
        project=spec.project,
        title=spec.title,
        continues=continues,
        on_failure=spec.on_failure,
        max_attempts=spec.max_attempts,
        slot=slot,
        last_slot=slot,
        node=node,
        **(_inherited(before) if before and before.workspace else {}),
        total=len(plan),
        passed=sum(chunk.outcome == ChunkOutcome.PASSED for chunk in plan),
        created_by=by,
        **(Worker.as_claimed() if drive_here else {}),
    )
    for chunk in plan:
        chunk.worker = worker
    worker.plan = WorkerChunk.objects.bulk_create(plan)
    emit(EventKind.WORKER_STARTED, worker.pk, **worker.summary, slot=slot)
    after_commit(
        partial(drive_here, worker) if drive_here else partial(publisher.run_worker, node.name, worker.pk, worker.epoch)
    )
    return worker


def _inherited(before: Worker) -> dict[str, Any]:
    """What comes with a workspace. Whether the agent still knows its session is seen when it is to be taken up."""
    names = ["workspace", "branch", "base_commit", "head_commit", "prepared_at", "session_id", "session_profile"]
    return {name: getattr(before, name) for name in names}


def frozen_plan(spec: Spec, continues: Worker | None) -> list[WorkerChunk]:
    """The spec's chunks as a plan, not yet stored; those that passed in `continues` stay passed."""
    done = {}
    if continues:
        done = {chunk.key: chunk for chunk in continues.chunks.filter(outcome=ChunkOutcome.PASSED)}
    review = {"command": spec.project.review_command} if spec.project.review_command else {}
    return [
        WorkerChunk(
            ordinal=ordinal,
            key=chunk.key,
            title=chunk.title,
            instructions=chunk.instructions,
            acceptance=chunk.acceptance,
            executor=chunk.executor,
            params=chunk.params,
            review=chunk.review or review,
            timeout=chunk.timeout,
            depends_on=chunk.depends_on,
            files=chunk.files,
            artifacts=chunk.artifacts,
            **_kept(done.get(chunk.key)),
        )
        for ordinal, chunk in enumerate(spec.chunks.all(), start=1)
    ]


def _kept(done: WorkerChunk | None) -> dict[str, Any]:
    if done is None:
        return {}
    times = {"started_at": done.started_at, "finished_at": done.finished_at}
    return {"outcome": done.outcome, "commit": done.commit, **times}
