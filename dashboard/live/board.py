"""Which page has what, and what is to be drawn when: the relay's state, without any waiting in it."""

from collections.abc import Collection, Iterable, Mapping

from dashboard.live.drawing import Drawn
from dashboard.live.outbox import Look
from dashboard.live.sockets import Socket
from dashboard.live.topics import INSIDE, SLOW, Region, Topic, changed

PACE = 0.1  # seconds between two drawings of the same region, but for those that are SLOW
KEEP = 60.0  # seconds for which it is remembered what pages were sent; afterwards it may be sent again


class Board:
    """The open pages, what they were sent, and what is due."""

    def __init__(self) -> None:
        self.sockets: set[Socket] = set()
        self._due: dict[Region, float] = {}  # what is to be drawn, and when at the earliest
        self._again: dict[Region, float] = {}  # what will look different by itself, and when
        self._drawn_at: dict[Region, float] = {}  # when a change of it was drawn last
        self._sent: dict[Region, str] = {}  # what every page that shows the region has

    @property
    def topics(self) -> set[Topic]:
        """What is shown by any page."""
        return {topic for socket in self.sockets for topic in socket.topics}

    @property
    def next_time(self) -> float | None:
        """When the next region is due, None when nothing is."""
        return min([*self._due.values(), *self._again.values()], default=None)

    @property
    def newcomers(self) -> list[Socket]:
        """The pages that are to get their regions whole: new ones, and slow ones that have caught up."""
        return [socket for socket in self.sockets if socket.behind and socket.keeps_up]

    def mark(self, found: Look, now: float) -> None:
        """Put what the look found, and what has become due by itself, among what is to be drawn.

        A first change is due at once, the next one of the same region some time after that.
        """
        topics = self.topics
        changes = {region for change in found.changes for region in changed(change, topics)}
        if found.gap:
            changes = whole(topics)
        for region in changes | self._take_again(now):
            if _is_shown(region, topics):
                pace = SLOW.get(region.name, PACE)
                self._due.setdefault(region, max(now, self._drawn_at.get(region, 0.0) + pace))

    def take_due(self, now: float) -> set[Region]:
        """What is to be drawn now. Parts of what is drawn anyway are struck out."""
        due = {region for region, at in self._due.items() if at <= now}
        shown = whole(self.topics)
        for part in [region for region in due if region.name in INSIDE]:
            if {region for region in shown if region.name == INSIDE[part.name]} <= due:
                due.discard(part)
                del self._due[part]
        return due

    def hand_out(
        self,
        drawn: Mapping[Region, Drawn],
        due: Collection[Region],
        newcomers: Collection[Socket],
        seq: int,
        now: float,
    ) -> None:
        """Give every page what changed, and newcomers all that they show."""
        html = {region: drawing.html for region, drawing in drawn.items()}
        news = {region: html[region] for region in due if region in html and html[region] != self._sent.get(region)}
        established = [socket for socket in self.sockets if not socket.behind]
        _give(established, news, seq, now)
        for socket in newcomers:
            socket.behind = False
        _give(newcomers, {region: html[region] for region in html if region.name not in INSIDE}, seq, now)
        for socket in newcomers:
            socket.beacon(seq, now)
        self._remember(html, news, {topic for socket in established for topic in socket.topics})
        self._settle(drawn, due, now)

    def give_up(self) -> None:
        """Strike out what cannot be drawn."""
        self._due.clear()

    def forget_old(self, now: float) -> None:
        """Forget what nobody shows and what was drawn long ago: there may be any number of workers in a day."""
        topics, oldest = self.topics, now - KEEP
        self._drawn_at = {region: at for region, at in self._drawn_at.items() if at >= oldest}
        for region in list(self._sent):
            if not _is_shown(region, topics) or (region.name in INSIDE and region not in self._drawn_at):
                del self._sent[region]

    def _take_again(self, now: float) -> set[Region]:
        passed = {region for region, at in self._again.items() if at <= now}
        for region in passed:
            del self._again[region]
        return passed

    def _remember(self, html: Mapping[Region, str], news: Mapping[Region, str], established: set[Topic]) -> None:
        """Note what all pages have now; what differs between them is forgotten, so that it is sent next time."""
        for region, text in html.items():
            if region in news or not _is_shown(region, established):
                self._sent[region] = text
            elif self._sent.get(region) != text:
                self._sent.pop(region, None)
        drawn = {region.name for region in html}
        uncertain = {around for part, around in INSIDE.items() if part in drawn}
        uncertain |= {part for part, around in INSIDE.items() if around in drawn}
        for region in [region for region in self._sent if region.name in uncertain]:
            del self._sent[region]

    def _settle(self, drawn: Mapping[Region, Drawn], due: Iterable[Region], now: float) -> None:
        for region in due:
            del self._due[region]
            self._drawn_at[region] = now
        for region, drawing in drawn.items():
            self._again.pop(region, None)
            if drawing.again_in is not None:
                self._again[region] = now + drawing.again_in


def whole(topics: Iterable[Topic]) -> set[Region]:
    """The regions that together draw these topics."""
    return {region for topic in topics for region in topic.regions}


def _is_shown(region: Region, topics: Iterable[Topic]) -> bool:
    return any(topic.shows(region) for topic in topics)


def _give(sockets: Iterable[Socket], html: Mapping[Region, str], seq: int, now: float) -> None:
    """Give each page those of the regions that it shows; pages of one kind share the text."""
    texts: dict[frozenset[Topic], str] = {}
    for socket in sockets:
        if socket.topics not in texts:
            texts[socket.topics] = "".join(text for region, text in html.items() if socket.shows(region))
        if text := texts[socket.topics]:
            socket.give(text, seq, now)
