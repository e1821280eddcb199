"""Why an entry waits: one pure function, used to decide a start and to draw the page."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from django.db.models import Q, prefetch_related_objects

from queue_app.models import WorkerQueue, Yard
from queue_app.sessions import Part, Sessions, parts_of, parts_of_specs
from specs.models import Chunk, Project
from workers.models import Node, Worker
from workers.models.worker import IS_ACTIVE
from workers.states import NodeStatus


class Cause(StrEnum):
    QUEUE_PAUSED = "queue_paused"  # somebody paused the queue
    SPEC_ACTIVE = "spec_active"  # a worker still runs, or ends, the same spec
    NOT_BEFORE = "not_before"  # its time has not come
    PROJECT_LIMIT = "project_limit"  # the project's own limit is reached
    PROFILE_LIMIT = "profile_limit"  # an agent profile that it needs is in use as often as it may be
    NO_NODE = "no_node"  # no online node offers what it needs, or has room
    SLOTS_FULL = "slots_full"  # every slot is in use
    NEXT = "next"  # nothing stands in its way: it starts at the next look


@dataclass(frozen=True)
class Wait:
    """Why an entry waits, for programs (`cause`) and for people (`text`)."""

    cause: Cause
    text: str
    worker: int | None = None
    until: datetime | None = None


@dataclass
class Situation:
    """All that decides whether an entry may start, read once and kept up to date by `take`."""

    now: datetime
    limit: int
    paused: bool
    slots: set[int]
    specs: dict[tuple[int, int], int]  # (spec, lane) → the active worker
    projects: Counter[int]
    nodes: list[Node]
    per_node: Counter[int]
    executors: dict[int, frozenset[str]] = field(default_factory=dict)  # spec → what its chunks need
    agents: dict[int, tuple[Part, ...]] = field(default_factory=dict)  # spec → its chunks that need an agent

    @classmethod
    def read(cls, yard: Yard, now: datetime) -> "Situation":
        """The situation as the database has it: three queries."""
        rows = Worker.objects.filter(IS_ACTIVE).order_by("slot")
        active = list(rows.values_list("pk", "slot", "spec", "lane", "project", "node"))
        return cls(
            now=now,
            limit=yard.limit,
            paused=yard.paused,
            slots={row[1] for row in active if row[1] is not None},
            specs={(row[2], row[3]): row[0] for row in active if row[2] is not None},
            projects=Counter(row[4] for row in active),
            nodes=list(Node.objects.filter(status=NodeStatus.ONLINE)),
            per_node=Counter(row[5] for row in active),
        )

    @cached_property
    def sessions(self) -> Sessions:
        """The agent profiles that have a limit, read when first asked for."""
        return Sessions.read()

    def learn(self, entries: list[WorkerQueue]) -> None:
        """Read what the specs of these entries need, in one query, and in one more where a profile has a limit.

        Otherwise it is read for each when it is needed.
        """
        unknown = {entry.spec_id for entry in entries} - self.executors.keys()
        needs: dict[int, set[str]] = {spec: set() for spec in unknown}
        rows = Chunk.objects.filter(spec__in=unknown).values_list("spec", "executor").distinct()
        for spec, executor in rows if unknown else ():
            needs[spec].add(executor)
        self.executors.update({spec: frozenset(names) for spec, names in needs.items()})
        self.agents.update(parts_of_specs(unknown) if unknown and self.sessions.limits else {})

    def needs(self, entry: WorkerQueue) -> frozenset[str]:
        """The executors that the spec of the entry needs."""
        if entry.spec_id not in self.executors:
            self._look_at(entry)
        return self.executors[entry.spec_id]

    def full_profile(self, entry: WorkerQueue) -> str:
        """An agent profile that the entry needs and that may not be used once more now; "" when there is none."""
        if not self.sessions.full:
            return ""
        if entry.spec_id not in self.agents:
            self._look_at(entry)
        return self.sessions.lacking(entry, self.agents[entry.spec_id])

    def _look_at(self, entry: WorkerQueue) -> None:
        prefetch_related_objects([entry.spec], "chunks")  # whoever starts it needs them too
        chunks = entry.spec.chunks.all()
        self.executors[entry.spec_id] = frozenset(chunk.executor for chunk in chunks)
        self.agents[entry.spec_id] = parts_of(chunks)

    def hopeless(self) -> Q:
        """Entries that cannot start now, whatever their place: too early, or their project or their agent is full."""
        limits = Project.objects.filter(max_workers__isnull=False).values_list("pk", "max_workers")
        full = [pk for pk, limit in limits if limit is not None and self.projects[pk] >= limit]
        return Q(not_before__gt=self.now) | Q(spec__project__in=full) | self.sessions.hopeless()

    @property
    def closed(self) -> bool:
        """Whether nothing at all can start now."""
        return self.paused or self.full or not any(map(self.has_room, self.nodes))

    def has_room(self, node: Node) -> bool:
        """Whether the node may run one more worker."""
        return node.max_workers is None or self.per_node[node.pk] < node.max_workers

    @property
    def full(self) -> bool:
        """Whether nothing can start now. More may be active than the limit allows after it was lowered."""
        return len(self.slots) >= self.limit

    def free_slot(self) -> int:
        """The lowest free slot; there is one below the limit whenever the situation is not `full`."""
        return next(slot for slot in range(1, self.limit + 1) if slot not in self.slots)

    def node_for(self, entry: WorkerQueue, *, with_room: bool = True) -> Node | None:
        """The least loaded online node that offers every executor of the spec and, unless told otherwise, has room."""
        needs = self.needs(entry)
        able = [
            node
            for node in self.nodes
            if (self.has_room(node) or not with_room) and needs <= set(node.capabilities.get("executors", ()))
        ]
        return min(able, key=lambda node: (self.per_node[node.pk], node.pk), default=None)

    def take(self, worker: Worker) -> None:
        """Count a worker that has just been accepted."""
        assert worker.slot is not None
        assert worker.spec_id is not None
        self.slots.add(worker.slot)
        self.specs[(worker.spec_id, worker.lane)] = worker.pk
        self.projects[worker.project_id] += 1
        self.per_node[worker.node_id] += 1
        self.sessions.take(worker)


def why(entry: WorkerQueue, situation: Situation) -> Wait | None:
    """What keeps the entry from starting, None when it may start."""
    own = why_itself(entry, situation)
    if own is None and situation.full:
        return Wait(Cause.SLOTS_FULL, f"Slots full ({len(situation.slots)}/{situation.limit})")
    return own


def why_itself(entry: WorkerQueue, situation: Situation) -> Wait | None:
    """What keeps this entry from starting even if a slot were free."""
    if situation.paused:
        return Wait(Cause.QUEUE_PAUSED, "Queue paused")
    if worker := situation.specs.get((entry.spec_id, entry.lane)):
        return Wait(Cause.SPEC_ACTIVE, f"Worker {worker} still runs this spec", worker=worker)
    if entry.not_before and entry.not_before > situation.now:
        return Wait(Cause.NOT_BEFORE, f"Not before {entry.not_before:%H:%M}", until=entry.not_before)
    project = entry.spec.project
    running = situation.projects[project.pk]
    if project.max_workers is not None and running >= project.max_workers:
        return Wait(Cause.PROJECT_LIMIT, f"Project limit {running}/{project.max_workers}")
    if name := situation.full_profile(entry):
        sessions = situation.sessions
        used = f"{sessions.used[name]}/{sessions.limits[name]}"
        return Wait(Cause.PROFILE_LIMIT, f"Profile {name}: {used} sessions")
    if situation.node_for(entry) is None:
        return Wait(Cause.NO_NODE, _no_node(entry, situation))
    return None


def _no_node(entry: WorkerQueue, situation: Situation) -> str:
    if not situation.nodes:
        return "No node is online"
    offered = {name for node in situation.nodes for name in node.capabilities.get("executors", ())}
    missing = sorted(situation.needs(entry) - offered)
    return f"No online node offers {' and '.join(missing)}" if missing else "Every node is at its own limit"
