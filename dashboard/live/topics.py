"""What changes where: the table from events to the regions of the pages.

A *topic* is what a page shows ("workers", "worker:12", "specs:q=mail"); a *region* is one element of it that is drawn
as a whole.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from dashboard.live.outbox import Change
from workers.states import EventKind

MOST_TOPICS = 8
NUMBER = re.compile(r"[1-9][0-9]{0,17}")
FILTER = re.compile(r"[A-Za-z0-9_.~%+=-]{0,2000}(&[A-Za-z0-9_.~%+=-]{0,2000}){0,3}")  # as in the page's address


class BadTopics(ValueError):
    """Not a list of topics of this site."""


class Region(NamedTuple):
    """An element of a page: its name in the tables below, whose it is (0: everybody's), and what it is filtered by."""

    name: str
    number: int = 0
    filter: str = ""


class Topic(NamedTuple):
    """What a page shows: its name in the tables below, which one (0: there is only one), and what of it ("": all)."""

    name: str
    number: int = 0
    filter: str = ""

    @property
    def regions(self) -> list[Region]:
        """The regions that together draw all of it."""
        return [Region(name, self.number, self.filter) for name in SHOWN[self.name].whole]

    def shows(self, region: Region) -> bool:
        """Whether a page with this topic has such an element."""
        shown = SHOWN[self.name]
        is_whole = region.name in shown.whole and region[1:] == self[1:]
        return is_whole or region.name in shown.parts


@dataclass(frozen=True)
class Shown:
    """The regions of a topic: `whole` draws everything; `parts` lie inside those and change on their own.

    The topic's name is followed by the number of a row where it is `numbered`, by a filter where it is `filtered`.
    """

    whole: tuple[str, ...]
    parts: tuple[str, ...] = ()
    numbered: bool = False
    filtered: bool = False


EVERYWHERE = Topic("everywhere")
SHOWN = {
    "everywhere": Shown(("nav", "status")),
    "workers": Shown(("meter", "controls", "capacity", "active", "queue", "finished"), parts=("card",)),
    "worker": Shown(("head", "facts", "attention", "words", "timeline", "branch"), numbered=True),
    "specs": Shown(("spec_list",), parts=("spec_row",), filtered=True),
    "spec": Shown(("spec_head", "spec_work"), numbered=True),
    "projects": Shown(("project_list",)),
    "profiles": Shown(("profile_list", "profile_usage")),
    "history": Shown(("newest",)),
}

# A part and what it lies in. Sending one makes what was sent of the other uncertain.
INSIDE = {"card": "active", "spec_row": "spec_list"}

# Whose the regions are that are not everybody's.
OF_A_WORKER = {"card", "head", "facts", "attention", "words", "timeline", "branch"}
OF_A_SPEC = {"spec_row", "spec_head", "spec_work"}

# What changes on all pages of a topic at once: where specs would land, the settings of their projects, the list,
# whether the spec of a worker is still there to be run again.
OF_EACH_PAGE = {
    "landing": ("spec", "spec_head"),
    "ancestry": ("worker", "head"),
    "settings": ("spec", "spec_work"),
    "spec_list": ("specs", "spec_list"),
}

_SLOTS = ("nav", "meter", "controls", "capacity", "active", "queue", "landing", "profile_list")
_NODES = ("status", "capacity", "queue", "landing", "finished", "profile_list")
_WORKER = ("head", "facts", "attention", "words", "timeline", "branch")
_SPEC = ("spec_row", "spec_head")
_END = (*_SLOTS, "profile_usage", "finished", "newest", *_WORKER, *_SPEC, "spec_work")
CHANGES: dict[str, tuple[str, ...]] = {
    EventKind.QUEUE_UPDATED: ("status", "capacity", "queue", "landing", *_SPEC),
    EventKind.WORKER_STARTED: (*_SLOTS, *_WORKER, *_SPEC),
    EventKind.WORKER_PROGRESS: ("meter", "controls", "card", *_WORKER),
    EventKind.WORKER_PAUSED: ("meter", "controls", "active", *_WORKER),
    EventKind.WORKER_RESUMED: ("meter", "controls", "active", *_WORKER),
    EventKind.WORKER_ATTENTION: ("nav", "meter", "active", *_WORKER),
    EventKind.WORKER_COMPLETED: _END,
    EventKind.WORKER_FAILED: _END,
    EventKind.WORKER_STOPPED: _END,
    EventKind.NODE_ONLINE: _NODES,
    EventKind.NODE_DRAINING: _NODES,
    EventKind.NODE_OFFLINE: _NODES,
    EventKind.SETTINGS_CHANGED: (*_SLOTS, "finished", "ancestry", *_SPEC, "settings", "spec_list", "project_list"),
}
# Seconds between two drawings of what sums up more than the event tells, for whom nobody waits.
SLOW = {"profile_usage": 5.0}
OUTPUT = ("card",)  # of an event that only says how far a log reaches
# What changes besides, by what the event tells.
BESIDES = {
    "tokens_in": ("profile_usage",),  # what an agent has used
    "landing": ("finished",),  # what becomes of a branch
    "removed": ("active",),  # the card of a worker that has ended leaves
}


def changed(change: Change, topics: Collection[Topic]) -> set[Region]:
    """The regions of these topics that look different after the change."""
    found: set[Region] = set()
    names = OUTPUT if change.only_output else CHANGES[change.kind]
    besides = (name for told, regions in BESIDES.items() if told in change.data for name in regions)
    for name in (*names, *besides):
        found.update(_regions(name, change, topics))
    return {region for region in found if any(topic.shows(region) for topic in topics)}


def _regions(name: str, change: Change, topics: Collection[Topic]) -> Iterable[Region]:
    if name in OF_A_WORKER:
        return [Region(name, change.worker_id or 0)]
    if name in OF_EACH_PAGE:
        page, region = OF_EACH_PAGE[name]
        return [Region(region, topic.number, topic.filter) for topic in topics if topic.name == page]
    if name not in OF_A_SPEC:
        return [Region(name)]
    return [] if change.spec_id is None else [Region(name, change.spec_id)]


def parse(text: str) -> frozenset[Topic]:
    """The topics of a page, from its comma-separated list; what every page shows is always among them.

    Raises BadTopics.
    """
    names = [name for name in text.split(",") if name]
    if len(names) > MOST_TOPICS:
        raise BadTopics
    return frozenset({EVERYWHERE, *map(_parse_one, names)})


def _parse_one(text: str) -> Topic:
    name, _, rest = text.partition(":")
    shown = SHOWN.get(name)
    if shown is None:
        raise BadTopics
    if shown.numbered and NUMBER.fullmatch(rest):
        return Topic(name, int(rest))
    if shown.filtered and FILTER.fullmatch(rest):
        return Topic(name, filter=rest)
    if shown.numbered or text != name:
        raise BadTopics
    return Topic(name)
