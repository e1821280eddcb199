"""The specs that somebody may add to the queue, each with its state."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Count, OuterRef, Q, Subquery
from django.http import QueryDict

from dashboard.pages import words
from queue_app.models import WorkerQueue
from specs.models import Spec
from specs.text import clean
from workers.models import Worker
from workers.models.worker import IS_ACTIVE, IS_FINAL
from workers.states import WorkerStatus

MOST_CHOICES = 200
LONGEST_FILTER = 100  # characters of a search and of the name of a project


@dataclass(frozen=True)
class Filter:
    """Which specs somebody wants to see: those that match a search, those of a project; without both, all."""

    query: str = ""
    project: str = ""

    @classmethod
    def parse(cls, text: str) -> "Filter":
        """From the query string of an address, `q=mail&project=acme`."""
        given = QueryDict(text)
        return cls(*(clean(given.get(name, ""))[:LONGEST_FILTER] for name in ("q", "project")))

    def __str__(self) -> str:
        """As a query string, empty without a filter."""
        return urlencode({name: value for name, value in (("q", self.query), ("project", self.project)) if value})


@dataclass(frozen=True)
class Choice:
    """A spec with its last worker; `running` and `waiting` say why it cannot be added now."""

    spec: Spec
    chunks: int
    last: Worker | None
    running: int | None
    waiting: bool

    @property
    def blocked(self) -> bool:
        return bool(self.running or self.waiting or not self.chunks)

    @property
    def look(self) -> words.Look | None:
        """The look of its last worker's end."""
        return words.WORKER_LOOKS[WorkerStatus(self.last.status)] if self.last else None


def choices(wanted: Filter, keep: Sequence[int] = ()) -> list[tuple[str, list[Choice]]]:
    """The specs by project, found by title, key or project, and those to `keep`: a constant number of queries."""
    specs = Spec.objects.select_related("project").annotate(size=Count("chunks")).order_by("project__name", "title")
    found = Q(project__name=wanted.project) if wanted.project else Q()
    for word in wanted.query.split()[:8]:
        found &= Q(title__icontains=word) | Q(project__name__icontains=word) | Q(key__icontains=word)
    if found:
        specs = specs.filter(found | Q(pk__in=keep))
    groups: dict[str, list[Choice]] = defaultdict(list)
    for choice in choices_of(list(specs[:MOST_CHOICES])):
        groups[choice.spec.project.name].append(choice)
    return list(groups.items())


def choices_of(specs: list[Spec]) -> list[Choice]:
    """Three queries, however many specs; they carry their number of chunks as `size`."""
    keys = [spec.pk for spec in specs]
    running = dict(Worker.objects.filter(IS_ACTIVE).order_by().values_list("spec", "pk"))  # few, by the index of slots
    waiting = set(WorkerQueue.objects.filter(spec__in=keys).values_list("spec", flat=True))
    ended = Worker.objects.filter(IS_FINAL, spec=OuterRef("pk")).order_by("-completed_at", "-pk")
    newest = Spec.objects.filter(pk__in=keys).annotate(newest=Subquery(ended.values("pk")[:1]))
    last = {worker.spec_id: worker for worker in Worker.objects.filter(pk__in=newest.values("newest"))}
    return [
        Choice(spec, getattr(spec, "size", 0), last.get(spec.pk), running.get(spec.pk), spec.pk in waiting)
        for spec in specs
    ]
