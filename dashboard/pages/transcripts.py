"""The transcript of an attempt, folded into entries that a page can draw.

A transcript is NDJSON that only ever grows. Pieces of one text are joined, news of a tool call go into the call, a plan
is the newest one of its turn. What cannot be understood is left out: an agent's words must never break a page.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from dashboard.pages.entries import Asked, Entry, Note, Plan, Review, Speech, Thought, words_of
from dashboard.pages.tool_calls import Tool
from specs.text import clean_json

WINDOW = 512 * 1024  # bytes that are looked at before the end, or before what is shown already
BLOCK = 1024 * 1024  # bytes of news in one reply
LOOKBACK = 512 * 1024  # bytes of words that are read again because more of them may come
MOST_FAR = 400  # lines of other entries that still grow: these alone are read again
LONGEST_LINE = 8 * 1024 * 1024  # bytes; what is longer is left out
MOST_ENTRIES = 100  # in one reply
TURNING = ("prompt", "message", "review", "plan", "answered")  # kinds of lines that may end something without its id


@dataclass
class Part:
    """What one reply tells: entries that are new or have changed, and where the next one goes on."""

    entries: list[Entry] = field(default_factory=list)
    offset: int = 0  # how far the transcript has been read
    grows: int = 0  # where the words begin of which more may come, which nothing has followed; else as `offset`
    far: list[int] = field(default_factory=list)  # where the lines stand that told of whatever else may still change
    earlier: int = 0  # entries that begin before this place have not been read; 0: there are none
    more: bool = False  # there is more to read at once
    stale: list[int] = field(default_factory=list)  # where entries seemed to begin that are whole in `entries` now

    def goes_on(self, growing: "list[Entry]") -> "Part":
        """The same, with what has to be known of entries that still grow when the transcript is read on."""
        near = [one for one in growing if isinstance(one, Speech) and one.begins >= self.offset - LOOKBACK]
        self.grows = min((words.begins for words in near), default=self.offset)
        self.far = lines_of([entry for entry in growing if entry not in near])
        return self


def lines_of(entries: "list[Entry]") -> list[int]:
    """The places of the lines from which the entries can be told again: of the newest ones, if they are too many."""
    found: set[int] = set()
    for entry in reversed(entries):
        needed = {*entry.needed, entry.settled or entry.begins}
        if len(found | needed) <= MOST_FAR:
            found |= needed
    return sorted(found)


class Story:
    """The entries that lines tell of, in the order in which they began."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._known: dict[tuple[str, str], Entry] = {}  # what further lines may be about, by kind and id

    def take(self, place: int, said: dict[str, Any]) -> None:
        """Take in the line that begins at `place`. A kind that is not known yet is passed over."""
        kind = words_of(said.get("kind"))
        if kind in _KINDS:
            self._end_speech((kind, words_of(said.get("id"))))
            _KINDS[kind](self, place, said)

    @property
    def growing(self) -> list[Entry]:
        """What later lines may change."""
        return [entry for entry in self.entries if entry.may_grow]

    def is_about(self) -> re.Pattern[bytes]:
        """What the lines hold that may be about what is under way: its ids, or that its turn is over."""
        ids = {ident for _, ident in self._known if ident}
        words = [*TURNING, *ids, *(json.dumps(ident)[1:-1] for ident in ids)]
        return re.compile(b"|".join(re.escape(f'"{word}"'.encode(errors="replace")) for word in words))

    def _speech(self, place: int, said: dict[str, Any]) -> None:
        self._tell(Thought if said["kind"] == "thought" else Speech, place, said)

    def _turn(self, place: int, said: dict[str, Any]) -> None:
        self._end_turn(place)
        if said["kind"] == "prompt":
            said = {**said, "text": self._without_mail(words_of(said.get("text")))}
        self._tell(Speech, place, said).is_over = True

    def _without_mail(self, text: str) -> str:
        """A prompt without what people have said just before it: that is told as theirs."""
        mail = list(takewhile(lambda entry: isinstance(entry, Speech) and entry.kind == "message", self.entries[::-1]))
        for message in reversed(mail):
            text = text.removeprefix(message.text).removeprefix("\n\n")
        return text

    def _plan(self, place: int, said: dict[str, Any]) -> None:
        """The newest plan of the turn; one that was carried out stays, and the next is another."""
        ident = ("plan", "")
        if ident in self._known and not self._known[ident].may_grow:
            del self._known[ident]
        self._tell(Plan, place, said, ident)

    def _tool(self, place: int, said: dict[str, Any]) -> None:
        self._tell(Tool, place, said)

    def _asked(self, place: int, said: dict[str, Any]) -> None:
        """A question, or the answer to the one of that name, seen or not; without a name, to the last that waits."""
        ident = ("asked", words_of(said.get("question")))
        waiting = [known for known, entry in self._known.items() if known[0] == "asked" and entry.may_grow]
        if said["kind"] == "asked":
            self._known.pop(ident, None)
        elif not ident[1] and waiting:
            ident = waiting[-1]
        self._tell(Asked, place, said, ident)

    def _note(self, place: int, said: dict[str, Any]) -> None:
        self._add(Note, place, said)

    def _review(self, place: int, said: dict[str, Any]) -> None:
        self._end_turn(place)
        self._add(Review, place, said)

    def _end_speech(self, but: tuple[str, str]) -> None:
        """Whatever is told, the agent says one thing after the other: what it says later is another entry."""
        for ident in [known for known, entry in self._known.items() if isinstance(entry, Speech) and known != but]:
            self._known.pop(ident).is_over = True

    def _end_turn(self, place: int) -> None:
        """Nothing more comes of what was under way; ids may be used anew."""
        for entry in self._known.values():
            if entry.may_grow:
                entry.settled = place
            entry.is_over = True
        self._known.clear()

    def _tell(self, kind: type[Entry], place: int, said: dict[str, Any], ident: Any = None) -> Entry:
        ident = ident or _ident(said)
        if (known := self._known.get(ident)) is None:
            known = self._known[ident] = self._add(kind, place, said)
        else:
            known.lines.append(place)
            known.absorb(said, _moment(said))
        return known

    def _add(self, kind: type[Entry], place: int, said: dict[str, Any]) -> Entry:
        entry = kind(place, _moment(said), [place])
        entry.absorb(said, entry.at)
        self.entries.append(entry)
        return entry


_KINDS = {
    "prompt": Story._turn,
    "message": Story._turn,
    "text": Story._speech,
    "thought": Story._speech,
    "plan": Story._plan,
    "tool": Story._tool,
    "asked": Story._asked,
    "answered": Story._asked,
    "note": Story._note,
    "review": Story._review,
}


def _ident(said: dict[str, Any]) -> tuple[str, str]:
    return said["kind"], words_of(said.get("id"))


def _moment(said: dict[str, Any]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(words_of(said.get("at")))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def newest(path: Path) -> Part:
    """The end of the transcript, which may be all of it. Raises FileNotFoundError."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        lines = _Lines(file, _window_start(file, end), end)
        story = _told(Story(), lines)
    return _last_of(story.entries, lines.start, lines.end).goes_on(story.growing)


def onwards(path: Path, offset: int, grows: int, far: Sequence[int] = (), *, ended: bool = False) -> Part:
    """What has come since `offset`; `grows` and `far` as the reply before gave them. Raises FileNotFoundError.

    `ended`: nothing more will come, so what was still under way is over now.
    """
    with path.open("rb") as file:
        end = file.seek(0, 2)
        if offset >= end and not (ended and (grows < end or far)):
            return Part(offset=end, grows=min(grows, end), far=[*far])
        lines = _Lines(file, _reach(file, offset, grows), offset + BLOCK)
        story = _told(_recalled(file, far, lines.start), lines, offset)
        part = Part(offset=max(lines.end, offset), more=lines.has_more)
    part.entries = [one for one in story.entries if one.touched >= offset or (ended and one.may_grow)]
    return part.goes_on(story.growing)


def since(path: Path, offset: int, grows: int, far: Sequence[int] = (), *, ended: bool = False) -> Part:
    """What has become of what was under way at `offset`, and nothing that began later. Raises FileNotFoundError."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        lines = _Lines(file, _reach(file, offset, grows), offset)
        story = _told(_recalled(file, far, lines.start), lines)
        under_way = story.growing
        _see_through(file, lines.end, story, under_way)
    changed = [one for one in under_way if one.touched >= offset or ended]
    return Part(changed, offset, grows, [*far], more=end > offset)


def before(path: Path, place: int) -> Part:
    """The entries that begin before `place`, from which on the page has them. Raises FileNotFoundError.

    `offset`, `grows` and `far` are for reading on from `place`; `far` names all lines of what was under way there.
    """
    with path.open("rb") as file:
        lines = _Lines(file, _window_start(file, place), place + WINDOW)
        story = _told(Story(), lines)
        part = _last_of([entry for entry in story.entries if entry.begins < place], lines.start, place)
        _see_through(file, lines.end, story, part.entries)
    part.stale = [again for entry in part.entries if (again := entry.first_line_from(place)) is not None]
    under_way = [entry for entry in part.entries if entry.touched >= place or entry.may_grow]
    part.goes_on(under_way).far = lines_of([entry for entry in under_way if not isinstance(entry, Speech)])
    return part


def _reach(file: BinaryIO, offset: int, grows: int) -> int:
    """Where to begin to read, so that what `offset` has to go on with is known."""
    return grows if offset - LOOKBACK <= grows <= offset else _line_start(file, offset - LOOKBACK)


def _recalled(file: BinaryIO, far: Sequence[int], start: int) -> Story:
    """What the lines at these places before `start` have told."""
    story = Story()
    for place in sorted({place for place in far if place < start})[-MOST_FAR:]:
        file.seek(place)
        if (said := _parse(file.readline(LONGEST_LINE))) is not None:
            story.take(place, said)
    return story


def _told(story: Story, lines: "_Lines", offset: int | None = None) -> Story:
    new = 0
    for place, said in lines:
        count = len(story.entries)
        story.take(place, said)
        new += offset is not None and place >= offset and len(story.entries) > count
        if new >= MOST_ENTRIES:
            break
    return story


def _see_through(file: BinaryIO, start: int, story: Story, entries: list[Entry]) -> None:
    """Read on to the end of those that are under way, tool calls mostly, passing over what has to do with others."""
    lines = _Lines(file, start, file.seek(0, 2), story.is_about())
    told = iter(lines)
    while any(entry.may_grow and not isinstance(entry, Speech) for entry in entries):
        place, said = next(told, (0, None))
        if said is None:
            return
        story.take(place, said)


def _last_of(entries: list[Entry], start: int, end: int) -> Part:
    """The part with as many of the last entries as fit."""
    part = Part(entries[-MOST_ENTRIES:], offset=end)
    part.earlier = part.entries[0].begins if len(entries) > MOST_ENTRIES else start
    return part


class _Lines:
    """The whole lines that begin between two places of a file."""

    def __init__(self, file: BinaryIO, start: int, stop: int, about: re.Pattern[bytes] | None = None) -> None:
        """With `about`, only those in which it is found."""
        self.start = self.end = start  # `end`: of the last line that was read
        self._stop = stop
        self._file = file
        self._about = about

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        self._file.seek(self.start)
        while self.end < self._stop and (line := self._file.readline(LONGEST_LINE)):
            place, is_whole = self.end, line.endswith(b"\n")
            if not is_whole and len(line) < LONGEST_LINE:
                return  # the rest is still to come
            self.end += len(line)
            if not is_whole:
                line = self._leave_out(len(line))
            if self._about is not None and self._about.search(line) is None:
                continue
            if (said := _parse(line)) is not None:
                yield place, said

    @property
    def has_more(self) -> bool:
        """Whether there is another whole line after those that were read."""
        self._file.seek(self.end)
        return self._file.readline(LONGEST_LINE).endswith(b"\n")

    def _leave_out(self, size: int) -> bytes:
        """Pass over the rest of the line; a note in its place."""
        while rest := self._file.readline(LONGEST_LINE):
            size, self.end = size + len(rest), self.end + len(rest)
            if rest.endswith(b"\n"):
                break
        text = f"A line of {size // 1_000_000} MB is left out here."
        return json.dumps({"kind": "note", "level": "warn", "text": text}).encode()


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        said = clean_json(json.loads(line))
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _window_start(file: BinaryIO, place: int) -> int:
    """Where to begin to read so that some lines, a long one if need be, lie before `place`."""
    size = WINDOW
    while (start := _line_start(file, place - size)) >= place > size:
        size *= 4
    return start


def _line_start(file: BinaryIO, near: int) -> int:
    """Where the first line begins at or after `near`."""
    if near <= 0:
        return 0
    file.seek(near - 1)
    start = near - 1
    while piece := file.readline(LONGEST_LINE):
        start += len(piece)
        if piece.endswith(b"\n"):
            break
    return start
