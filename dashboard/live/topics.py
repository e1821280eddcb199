"""What changes where: the table from events to the regions of the pages.

A *topic* is what a page shows ("workers", "worker:12"); a *region* is one element of it that is drawn as a whole.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from dashboard.live.outbox import Change
from workers.states import EventKind

MOST_TOPICS = 8
PATTERN = re.compile(r"(?P<name>[a-z]{1,20})(?::(?P<number>[1-9][0-9]{0,17}))?")


class BadTopics(ValueError):
    """Not a list of topics of this site."""


class Region(NamedTuple):
    """An element of a page: its name in the tables below, and whose it is (0: everybody's)."""

    name: str
    number: int = 0


class Topic(NamedTuple):
    """What a page shows: its name in the tables below, and which one (0: there is only one)."""

    name: str
    number: int = 0

    @property
    def regions(self) -> list[Region]:
        """The regions that together draw all of it."""
        return [Region(name, self.number) for name in SHOWN[self.name].whole]

    def shows(self, region: Region) -> bool:
        """Whether a page with this topic has such an element."""
        shown = SHOWN[self.name]
        return (region.name in shown.whole and region.number == self.number) or region.name in shown.parts


@dataclass(frozen=True)
class Shown:
    """The regions of a topic: `whole` draws everything; `parts` lie inside those and change on their own."""

    whole: tuple[str, ...]
    parts: tuple[str, ...] = ()
    numbered: bool = False


EVERYWHERE = Topic("everywhere")
SHOWN = {
    "everywhere": Shown(("nav", "status")),
    "workers": Shown(("meter", "controls", "capacity", "active", "queue", "finished"), parts=("card",)),
    "worker": Shown(("head", "facts", "timeline"), numbered=True),
}

# A part and what it lies in. Sending one makes what was sent of the other uncertain.
INSIDE = {"card": "active"}

_SLOTS = ("nav", "meter", "controls", "capacity", "active", "queue")
_NODES = ("status", "capacity", "queue")
_OF_ITS_PAGE = SHOWN["worker"].whole
CHANGES: dict[str, tuple[str, ...]] = {
    EventKind.QUEUE_UPDATED: ("status", "capacity", "queue"),
    EventKind.WORKER_STARTED: (*_SLOTS, *_OF_ITS_PAGE),
    EventKind.WORKER_PROGRESS: ("meter", "controls", "card", *_OF_ITS_PAGE),
    EventKind.WORKER_PAUSED: ("meter", "controls", "active", *_OF_ITS_PAGE),
    EventKind.WORKER_RESUMED: ("meter", "controls", "active", *_OF_ITS_PAGE),
    EventKind.WORKER_ATTENTION: ("nav", "meter", "active", *_OF_ITS_PAGE),
    EventKind.WORKER_COMPLETED: (*_SLOTS, "finished", *_OF_ITS_PAGE),
    EventKind.WORKER_FAILED: (*_SLOTS, "finished", *_OF_ITS_PAGE),
    EventKind.WORKER_STOPPED: (*_SLOTS, "finished", *_OF_ITS_PAGE),
    EventKind.NODE_ONLINE: _NODES,
    EventKind.NODE_DRAINING: _NODES,
    EventKind.NODE_OFFLINE: _NODES,
    EventKind.SETTINGS_CHANGED: _SLOTS,
}
OUTPUT = ("card",)  # of an event that only says how far a log reaches
OF_ONE_WORKER = {"card", *_OF_ITS_PAGE}


def changed(change: Change) -> list[Region]:
    """The regions that look different after the change."""
    names = OUTPUT if change.only_output else CHANGES[change.kind]
    worker = change.worker_id or 0
    return [Region(name, worker if name in OF_ONE_WORKER else 0) for name in names]


def parse(text: str) -> frozenset[Topic]:
    """The topics of a page, from its comma-separated list; what every page shows is always among them.

    Raises BadTopics.
    """
    names = [name for name in text.split(",") if name]
    if len(names) > MOST_TOPICS:
        raise BadTopics
    return frozenset({EVERYWHERE, *map(_parse_one, names)})


def _parse_one(text: str) -> Topic:
    match = PATTERN.fullmatch(text)
    shown = SHOWN.get(match["name"]) if match else None
    if match is None or shown is None or shown.numbered != bool(match["number"]):
        raise BadTopics
    return Topic(match["name"], int(match["number"] or 0))
