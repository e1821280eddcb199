"""The tabs of a worker's page: log, changes and what else there is to see of it, each a page with its own address.

A new tab is one line in `TABS`, an address that calls `show_tab`, and a template that extends `workers/tabbed.html`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from dashboard.pages import fragments
from dashboard.pages.changed import count_of
from dashboard.pages.fragments import Fragment
from dashboard.pages.page import show
from workers.models import Worker
from workers.states import AGENT


@dataclass(frozen=True)
class Kind:
    """A tab that workers have: its name, the word on it, the name of its address."""

    name: str
    word: str
    address: str
    count: Callable[[Worker], Fragment] | None = None  # a live region beside the word
    is_shown: Callable[[Worker], bool] = lambda worker: True


@dataclass(frozen=True)
class Tab:
    """A tab of one worker, as `workers/_tabs.html` draws it."""

    name: str
    word: str
    url: str
    selected: bool
    count: Fragment | None = None


def _has_agents(worker: Worker) -> bool:
    """Whether an agent carries out, or reviews, any of its chunks."""
    return worker.chunks.filter(Q(executor=AGENT) | Q(review__has_key="agent")).exists()


TABS = (
    Kind("log", "Log", "worker"),
    Kind("conversation", "Conversation", "worker-conversation", is_shown=_has_agents),
    Kind("changes", "Changes", "worker-changes", count=count_of),
)


def tabs_of(worker: Worker, selected: str) -> list[Tab]:
    """The tabs of the worker, with the selected one marked."""
    return [
        Tab(
            kind.name,
            kind.word,
            reverse(kind.address, args=[worker.pk]),
            kind.name == selected,
            kind.count(worker) if kind.count else None,
        )
        for kind in TABS
        if kind.name == selected or kind.is_shown(worker)
    ]


def show_tab(request: HttpRequest, worker: Worker, name: str, template: str, context: dict[str, Any]) -> HttpResponse:
    """The worker's page with one of its tabs open. `template` extends `workers/tabbed.html`."""
    head, facts, timeline = fragments.worker_regions(worker)
    frame = {"worker": worker, "head": head, "facts": facts, "timeline": timeline, "tabs": tabs_of(worker, name)}
    frame["attention"] = fragments.worker_attention(worker)
    frame["branch"] = fragments.worker_branch(worker)
    others = Worker.objects.values_list("pk", flat=True)
    frame["before"] = others.filter(pk__lt=worker.pk).order_by("-pk").first()
    frame["after"] = others.filter(pk__gt=worker.pk).order_by("pk").first()
    return show(request, template, {**frame, **context}, section="workers", topic=f"worker:{worker.pk}")
