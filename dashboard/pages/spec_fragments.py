"""The regions of the pages about specs and projects and of the history that change while somebody looks.

See `fragments`.
"""

from collections import Counter
from typing import Any

from django.db.models import Count

from dashboard.pages.cards import Card, cards_of
from dashboard.pages.choices import MOST_CHOICES, Choice, Filter, choices, choices_of
from dashboard.pages.fragments import Fragment
from dashboard.pages.rows import landing
from dashboard.pages.timelines import OUTCOME_LOOKS
from specs import profiles
from specs.executors import AGENT
from specs.models import Chunk, Project, Spec
from workers.models import Worker
from workers.models.worker import IS_FINAL
from workers.states import ChunkOutcome, Reason

RUNS_SHOWN = 5
MOST_PROJECTS = 500


def spec_head(spec: Spec) -> Fragment:
    """Title and state of a spec, its two run buttons, and where it would land."""
    context = {"spec": spec, "choice": _choices([spec.pk])[0], "landing": landing(spec)}
    return Fragment(f"spec-{spec.pk}-head", "specs/_head.html", context)


def spec_work(spec: Spec) -> Fragment:
    """Chunks, past runs and settings of a spec."""
    ended = Worker.objects.filter(IS_FINAL, spec=spec).exclude(reason=Reason.REQUEUED)
    runs = cards_of(ended.select_related("project", "node").order_by("-completed_at", "-pk")[:RUNS_SHOWN])
    chunks = _chunks(spec, runs[0] if runs else None)
    looks = Counter(row["look"].word.lower() for row in chunks) if runs else Counter()
    tally = ", ".join(f"{number} {word}" for word, number in looks.items())
    context = {"spec": spec, "chunks": chunks, "runs": runs, "tally": tally}
    return Fragment(f"spec-{spec.pk}-work", "specs/_work.html", context)


def spec_row(choice: Choice) -> Fragment:
    """One spec in the list of all."""
    return Fragment(f"spec-{choice.spec.pk}", "specs/_row.html", choice)


def spec_rows(spec_ids: list[int]) -> list[Fragment]:
    """These specs in the list of all."""
    return [spec_row(choice) for choice in _choices(spec_ids)]


def spec_list(wanted: str) -> Fragment:
    """The list of all specs, or of those that match a filter (as in the address of the page)."""
    groups = choices(Filter.parse(wanted))
    shown = sum(len(found) for _, found in groups)
    context = {"groups": groups, "filtered": bool(wanted), "most": MOST_CHOICES if shown == MOST_CHOICES else None}
    return Fragment("spec-list", "specs/_list.html", context)


def project_list() -> Fragment:
    """All projects with their number of specs."""
    projects = Project.objects.annotate(size=Count("specs")).order_by("name")[:MOST_PROJECTS]
    return Fragment("project-list", "projects/_list.html", {"projects": projects})


def newest_finished() -> Fragment:
    """A mark in the history: which worker ended last."""
    last = Worker.objects.filter(IS_FINAL).order_by("-completed_at", "-pk").values_list("pk", flat=True).first()
    return Fragment("newest-finished", "history/_newest.html", {"newest": last or 0})


def _choices(spec_ids: list[int]) -> list[Choice]:
    specs = Spec.objects.select_related("project").annotate(size=Count("chunks"))
    return choices_of(list(specs.filter(pk__in=spec_ids)))


def _chunks(spec: Spec, last: Card | None) -> list[dict[str, Any]]:
    """The chunks with what each runs, and how it ended in the last run (matched by title)."""
    outcomes = {title: ChunkOutcome(outcome) for _, title, outcome in last.plan} if last else {}
    looks = {chunk: OUTCOME_LOOKS[outcomes.get(chunk.title, ChunkOutcome.PENDING)] for chunk in spec.chunks.all()}
    return [{**_work(chunk, spec.project), "look": look} for chunk, look in looks.items()]


def _work(chunk: Chunk, project: Project) -> dict[str, Any]:
    """Who carries a chunk out, and who reviews it: a command, an agent (by its profile), or both."""
    usual = project.default_profile or profiles.DEFAULT
    params = {name: value for name, value in chunk.params.items() if name != "run"}
    agent = (params.pop("profile", "") or usual) if chunk.executor == AGENT else ""
    review = chunk.review.get("command", "") if chunk.review else project.review_command
    reviewer = chunk.review.get("agent")
    reviewing = (reviewer.get("profile") or usual) if reviewer else ""
    return {
        "chunk": chunk,
        "run": chunk.params.get("run", ""),
        "params": params,
        "agent": agent,
        "review": review,
        "reviewing": reviewing,
        "look_for": reviewer.get("instructions") if reviewer else "",
        "reviewed_by": ", ".join(filter(None, (review, reviewing))) or ("" if agent else "exit 0"),
    }
