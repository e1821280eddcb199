"""The regions of the pages that change while somebody looks.

Each is built by one function and drawn by one template whose root element carries the region's id; pages include
it, replies to actions and the live relay send it. None of them depends on the user: what a viewer may not press is
hidden by the role on the page's body, and refused by the server.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from operator import attrgetter
from typing import Any

from django.db.models import Count, Sum
from django.template.loader import render_to_string
from django.utils import timezone

from dashboard.pages.cards import Card, active_workers, cards_of, head_card, lingering
from dashboard.pages.landings import NOWHERE, standings_of
from dashboard.pages.questions import MOST_SHOWN, open_questions
from dashboard.pages.rows import MOST_ROWS, Removed, rows_of
from dashboard.pages.timelines import timeline_of
from queue_app.models import WorkerQueue, Yard
from queue_app.outlook import next_slot
from specs.models import Spec
from workers.models import Node, Worker
from workers.models.message import deafness
from workers.models.worker import IS_ACTIVE, IS_FINAL

UNFOLDED = 12  # rows of the queue that show before "Show the other …"
MOST_SLOTS = 16  # above this the meter shows only the numbers
FINISHED_SHOWN = 4
MOST_COUNTED = 2000  # workers of a day whose chunks are counted


@dataclass(frozen=True)
class Fragment:
    """A region: the id of its element, its template, and what it shows."""

    target: str
    template: str
    context: Any

    def render(self) -> str:
        """The HTML, exactly as the page includes it, without white space around it (a morph would pile it up)."""
        return render_to_string(self.template, {"fragment": self.context}).strip()

    def partial(self) -> str:
        """The same within the element by which htmx 4 addresses it; it morphs what is there."""
        return f'<hx-partial hx-target="#{self.target}" hx-swap="outerMorph">{self.render()}</hx-partial>'


def workers_regions() -> list[Fragment]:
    """The regions of /workers."""
    return [meter(), controls(), capacity(), active(), queue_panel(), finished()]


def worker_regions(worker: Worker) -> list[Fragment]:
    """The three regions that belong to one worker's page."""
    return [worker_head(worker), worker_facts(worker), worker_timeline(worker)]


def nav() -> Fragment:
    """The link "Workers (3)" with the number of workers that wait for a person."""
    attentions = list(Worker.objects.filter(IS_ACTIVE).order_by().values_list("attention", flat=True))
    context = {"active": len(attentions), "attention": sum(bool(text) for text in attentions)}
    return Fragment("nav-workers", "_nav_workers.html", context)


def status_line() -> Fragment:
    """Nodes with load and memory, whether the queue moves, the version."""
    context = {"nodes": list(Node.objects.all()[:8]), "paused": Yard.current().paused, "version": version("specyard")}
    return Fragment("status-line", "_status_line.html", context)


def meter() -> Fragment:
    """Slots in use, each linked to its card, and the limit."""
    limit, cards = Yard.current().limit, cards_of(active_workers())
    by_slot = {card.worker.slot: card for card in cards}
    highest = max([limit, *(slot for slot in by_slot if slot)])
    slots = [{"number": n, "card": by_slot.get(n)} for n in range(1, highest + 1)] if highest <= MOST_SLOTS else []
    context = {"active": len(cards), "limit": limit, "slots": slots}
    context["asking"] = [card for card in cards if card.worker.attention]
    return Fragment("slot-meter", "workers/_meter.html", context)


def controls() -> Fragment:
    """Pause, resume and stop for all workers."""
    cards = [Card(worker, ()) for worker in active_workers()]
    context = {
        "can_pause": sum(card.can_pause for card in cards),
        "can_resume": sum(card.can_resume for card in cards),
        "can_stop": sum(card.can_stop for card in cards),
        "passed": sum(card.worker.passed for card in cards),
    }
    return Fragment("worker-controls", "workers/_controls.html", context)


def capacity() -> Fragment:
    """What people should know about slots and queue before they add something; often nothing."""
    yard = Yard.current()
    count = Worker.objects.filter(IS_ACTIVE).count()
    full = count >= yard.limit
    context = {
        "full": full,
        "active": count,
        "limit": yard.limit,
        "next": next_slot(yard) if full else None,
        "paused": yard.paused,
        "paused_by": yard.paused_by,
        "paused_at": yard.paused_at,
    }
    return Fragment("capacity", "workers/_capacity.html", context)


def active() -> Fragment:
    """The cards in slot order; what to do first when the yard is empty."""
    running = active_workers()
    workers = [*running, *lingering(running)]
    workers.sort(key=lambda worker: worker.slot or worker.last_slot)
    cards = cards_of(workers)
    limit = Yard.current().limit
    context = {
        "cards": cards,
        "active": len(running),
        "counts": Counter(card.group for card in cards if card.worker.is_active),
        "limit": limit,
        "first_run": not cards and not Spec.objects.exists() and not Worker.objects.exists(),
        "free": range(1, min(limit, 5) + 1),
        "sample": ["pending"] * 5,
    }
    return Fragment("workers-active", "workers/_active.html", context)


def card(worker: Worker) -> Fragment:
    """One card of the list of active workers."""
    return _card(cards_of([worker])[0])


def cards(worker_ids: Iterable[int]) -> list[Fragment]:
    """Several cards: two queries, however many."""
    workers = Worker.objects.select_related("project", "node").filter(pk__in=list(worker_ids))
    return [_card(found) for found in cards_of(workers)]


def _card(found: Card) -> Fragment:
    return Fragment(f"worker-{found.worker.pk}", "workers/_card.html", found)


def queue_panel(removed: Removed | None = None) -> Fragment:
    """The queue: the first rows in order, the number of all; an entry that has just been removed in its place."""
    yard, total = Yard.current(), WorkerQueue.objects.count()
    rows = rows_of(list(WorkerQueue.objects.select_related("spec__project")[:MOST_ROWS]), yard)
    context = {
        "rows": sorted([*rows, removed], key=attrgetter("order")) if removed else rows,
        "total": total,
        "folded": max(0, len(rows) - UNFOLDED),
        "hidden": total - len(rows),
        "paused": yard.paused,
    }
    return Fragment("queue", "queue/_panel.html", context)


def finished() -> Fragment:
    """The workers that ended last; before the first of them, what the machines offer."""
    ended = Worker.objects.filter(IS_FINAL)
    newest_first = ended.order_by("-completed_at", "-pk")
    shown = list(newest_first.select_related("project", "node")[:FINISHED_SHOWN])
    standings = standings_of(shown)
    cards = [Card(worker, (), standing=standings.get(worker.pk, NOWHERE)) for worker in shown]
    day = newest_first.filter(completed_at__gt=timezone.now() - timedelta(days=1))[:MOST_COUNTED]
    sums = day.aggregate(workers=Count("pk"), passed=Sum("passed"), failed=Sum("failed"))
    context = {"cards": cards, "passed": sums["passed"] or 0, "failed": sums["failed"] or 0}
    context["more"] = sums["workers"] == MOST_COUNTED
    context["nodes"] = [] if cards else list(Node.objects.all()[:4])
    return Fragment("finished", "workers/_finished.html", context)


def worker_head(worker: Worker) -> Fragment:
    """Title, state and controls of a worker's page."""
    return Fragment(f"worker-{worker.pk}-head", "workers/_head.html", head_card(worker))


def worker_facts(worker: Worker) -> Fragment:
    """The strip of facts below the title."""
    return Fragment(f"worker-{worker.pk}-facts", "workers/_facts.html", head_card(worker))


def worker_branch(worker: Worker) -> Fragment:
    """Where the branch of a worker stands: nothing to see, but a sign that there is more to ask git for."""
    tip = worker.chunks.exclude(commit="").order_by("-ordinal").values_list("commit", flat=True).first()
    context = {"worker": worker, "tip": tip or worker.base_commit}
    return Fragment(f"worker-{worker.pk}-branch", "workers/_branch.html", context)


def worker_attention(worker: Worker) -> Fragment:
    """What the worker waits for a person with: the oldest questions; often nothing."""
    asks = open_questions([worker.pk])[worker.pk] if worker.attention else []
    context = {"worker": worker, "asks": asks[:MOST_SHOWN], "more": len(asks[MOST_SHOWN:])}
    return Fragment(f"worker-{worker.pk}-attention", "workers/_attention.html", context)


def worker_words(worker: Worker) -> Fragment:
    """Where people tell the worker's agent something, and what it has not been told yet."""
    unsaid = worker.messages.filter(said_at=None) if worker.is_active else ()
    forms = [f"worker-{worker.pk}-words-form"]
    context = {"worker": worker, "unsaid": unsaid, "deaf": deafness(worker), "forms": forms}
    return Fragment(f"worker-{worker.pk}-words", "workers/_words.html", context)


def worker_timeline(worker: Worker) -> Fragment:
    """Chunks and attempts on one time axis."""
    context = timeline_of(worker)
    return Fragment(f"worker-{worker.pk}-timeline", "workers/_timeline.html", context)
