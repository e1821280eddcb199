"""How many workers use each agent profile, and what has to wait for one that is in use often enough."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q

from queue_app.models import WorkerQueue
from specs import profiles
from specs.executors import AGENT
from specs.models import AgentProfile, Chunk
from workers.models import Landing, Worker, WorkerChunk
from workers.states import ChunkOutcome, LandingKind

# JSON is looked into only where the executor or the review says that an agent has to do with it.
HAS_AGENT = Q(executor=AGENT) | Q(review__has_key="agent")
NAMED = ("executor", "params__profile", "review__agent__profile")
OPEN = (ChunkOutcome.PENDING, ChunkOutcome.RUNNING)


class Part(NamedTuple):
    """A chunk that has to do with agents: its key and the profiles that it names ("": the project's default)."""

    key: str
    names: frozenset[str]


def parts_of(chunks: Iterable[Any]) -> tuple[Part, ...]:
    """Those of the chunks, of a spec or of a plan, that have to do with agents."""
    found = (Part(chunk.key, profiles.named(chunk.executor, *_names(chunk))) for chunk in chunks)
    return tuple(part for part in found if part.names)


def _names(chunk: Any) -> tuple[Any, Any]:
    agent = chunk.review.get("agent")
    return chunk.params.get("profile"), agent.get("profile", "") if isinstance(agent, dict) else None


def parts_of_specs(specs: Collection[int]) -> dict[int, tuple[Part, ...]]:
    """The same for many specs at once, in one query."""
    found: dict[int, list[Part]] = {spec: [] for spec in specs}
    rows = Chunk.objects.filter(HAS_AGENT, spec__in=specs).values_list("spec", "key", *NAMED)
    for spec, key, *names in rows:
        found[spec].append(Part(key, profiles.named(*names)))
    return {spec: tuple(parts) for spec, parts in found.items()}


def in_use() -> Counter[str]:
    """How many active workers use each profile: their open chunks need it, or their session is one of its agent."""
    rows = WorkerChunk.objects.filter(HAS_AGENT, worker__slot__isnull=False).values_list(
        "worker", "outcome", "worker__session_profile", "worker__project__default_profile", *NAMED
    )
    used: dict[int, set[str]] = {}
    for worker, outcome, session, default, *names in rows:
        mine = used.setdefault(worker, {session} if session else set())
        if outcome in OPEN:
            mine.update(name or default or profiles.DEFAULT for name in profiles.named(*names))
    return Counter(name for names in used.values() for name in names)


@dataclass
class Sessions:
    """The profiles that have a limit, and how many active workers use each."""

    limits: dict[str, int]
    used: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls) -> "Sessions":
        """As the database has it: two queries, one where no profile has a limit."""
        rows = AgentProfile.objects.filter(max_sessions__isnull=False).values_list("name", "max_sessions")
        limits = {name: limit for name, limit in rows if limit is not None}
        return cls(limits, in_use() if limits else Counter())

    @property
    def full(self) -> set[str]:
        """The profiles that no further worker may use now."""
        return {name for name, limit in self.limits.items() if self.used[name] >= limit}

    def take(self, worker: Worker) -> None:
        """Count a worker that has just been accepted, with its plan."""
        if self.limits:
            parts = parts_of(chunk for chunk in worker.plan or () if chunk.outcome in OPEN)
            self.used.update(_resolved(parts, worker.project.default_profile))

    def lacking(self, entry: WorkerQueue, parts: tuple[Part, ...]) -> str:
        """A full profile that the entry needs for what it still has to do; "" when there is none."""
        default = entry.spec.project.default_profile
        wanted = self.full & _resolved(parts, default) if parts and self.limits else set()
        if wanted and entry.continues_id:
            done = self._done.get(entry.continues_id, set())
            wanted &= _resolved((part for part in parts if part.key not in done), default)
        return min(wanted, default="")

    @cached_property
    def _done(self) -> dict[int, set[str]]:
        """The chunks that need not be done again, by the worker that an entry continues; two queries for all."""
        before = WorkerQueue.objects.filter(continues__isnull=False).values("continues")
        dropped = Landing.objects.filter(worker__in=before, kind=LandingKind.DISCARD, error="").exclude(
            worker__branch=""
        )
        gone = set(dropped.values_list("worker", flat=True))
        done: dict[int, set[str]] = {}
        rows = WorkerChunk.objects.filter(worker__in=before, outcome=ChunkOutcome.PASSED).values_list("worker", "key")
        for worker, key in rows:
            if worker not in gone:
                done.setdefault(worker, set()).add(key)
        return done

    def hopeless(self) -> Q:
        """Entries that need a full profile from their beginning."""
        if not (full := self.full):
            return Q(pk__in=())
        default = full | {""} if profiles.DEFAULT in full else full
        is_default = Q(spec__project__default_profile__in=default)
        unnamed = Q(params__profile="") | Q(params__profile__isnull=True)
        works = Q(executor=AGENT) & (Q(params__profile__in=full) | (unnamed & is_default))
        reviews = Q(review__agent__profile__in=full) | (Q(review__agent__profile="") & is_default)
        return Q(continues=None) & Q(Exists(Chunk.objects.filter(works | reviews, spec=OuterRef("spec"))))


def _resolved(parts: Iterable[Part], default: str) -> set[str]:
    return {name or default or profiles.DEFAULT for part in parts for name in part.names}
