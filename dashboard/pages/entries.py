"""The entries of a conversation: what each holds, how news of it are taken in, and how it shows.

Tool calls, which are most of it, are in `tool_calls`.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.utils.safestring import SafeString

from dashboard.pages.markdown import markdown

MOST_TEXT = 24_000  # characters of one text that are shown
MOST_COMMAND = 8_000
SHORT = 400  # characters of instructions that are shown without a click
PLAN_ICONS = {"completed": "completed", "in_progress": "running"}
NOTE_LOOKS = {"warn": ("attention", "warn"), "bad": ("failed", "bad")}


def words_of(value: Any) -> str:
    """What is meant to be text, as text: structures become JSON, nothing becomes an empty text."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        return "…"


@dataclass
class Entry:
    """Something that an agent, a person or Specyard said or did."""

    begins: int  # where its first line stands in the transcript
    at: datetime | None
    lines: list[int] = field(default_factory=list)  # where what it was made of stands
    is_over: bool = False  # nothing more will come of it
    settled: int = 0  # where the line stands that made it so
    template: ClassVar[str] = ""

    def absorb(self, said: dict[str, Any], at: datetime | None) -> None:
        """Take in a line."""

    @property
    def may_grow(self) -> bool:
        """Whether later lines may change it."""
        return False

    @property
    def needed(self) -> list[int]:
        """Those of its lines from which it can be told again."""
        return self.lines

    @property
    def touched(self) -> int:
        """Where the line stands by which it looks as it does."""
        return max(self.lines[-1], self.settled)

    def first_line_from(self, place: int) -> int | None:
        """Where it would have seemed to begin to somebody who read from `place` on; None: it was over by then."""
        return next((line for line in self.lines if line >= place), None)


@dataclass
class Speech(Entry):
    """Words: of the agent, of a person (`message`), or what we asked the agent to do (`prompt`)."""

    kind: str = "text"
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    number: int | None = None  # of a person's message
    template = "conversation/_speech.html"

    def absorb(self, said: dict[str, Any], at: datetime | None) -> None:
        self.kind = said["kind"]
        self.number = said.get("id") if isinstance(said.get("id"), int) else None
        piece = words_of(said.get("text"))
        if self.size < MOST_TEXT:
            self.pieces.append(piece)
        self.size += len(piece)

    @property
    def may_grow(self) -> bool:
        return not self.is_over

    @property
    def text(self) -> str:
        return "".join(self.pieces)[:MOST_TEXT]

    @property
    def html(self) -> SafeString:
        return markdown(self.text)

    @property
    def hidden(self) -> int:
        """Characters that are not shown."""
        return max(0, self.size - MOST_TEXT)

    @property
    def is_empty(self) -> bool:
        return not self.text.strip()

    @property
    def is_long(self) -> bool:
        """Whether instructions are folded."""
        return self.kind == "prompt" and (self.size > SHORT or self.text.count("\n") > 8)

    @property
    def first_line(self) -> str:
        """What a folded text is known by."""
        return next((line.strip("#*> \t") for line in self.text.splitlines() if line.strip("#*> \t")), "")[:200]


@dataclass
class Thought(Speech):
    """What the agent thought, folded."""

    kind: str = "thought"
    template = "conversation/_thought.html"


@dataclass
class Plan(Entry):
    """What the agent means to do, as a check list: always the newest plan of its turn."""

    items: list[tuple[str, str, str]] = field(default_factory=list)  # icon, status in words, text
    template = "conversation/_plan.html"

    def absorb(self, said: dict[str, Any], at: datetime | None) -> None:
        listed = said.get("entries")
        found = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
        self.items = [self._item(item) for item in found[:100]]

    def _item(self, item: dict[str, Any]) -> tuple[str, str, str]:
        status = words_of(item.get("status")) or "pending"
        return PLAN_ICONS.get(status, "starting"), status.replace("_", " "), words_of(item.get("content"))[:1000]

    @property
    def needed(self) -> list[int]:
        return sorted({self.begins, self.lines[-1]})

    @property
    def may_grow(self) -> bool:
        return not self.is_over and any(icon != "completed" for icon, _, _ in self.items)


@dataclass
class Asked(Entry):
    """A question to a person, and its answer."""

    asked: dict[str, Any] = field(default_factory=dict)
    answered: dict[str, Any] = field(default_factory=dict)
    template = "conversation/_asked.html"

    def absorb(self, said: dict[str, Any], at: datetime | None) -> None:
        (self.answered if said.get("kind") == "answered" else self.asked).update(said)

    @property
    def may_grow(self) -> bool:
        return not self.answered and not self.is_over

    @property
    def name(self) -> str:
        """What it can be found by: the runner's name for it, else its title."""
        return words_of(self.asked.get("question")) or words_of(self.answered.get("question")) or self.title[:300]

    @property
    def title(self) -> str:
        return words_of(self.asked.get("title"))[:500] or "A question"

    @property
    def words(self) -> str:
        """What is asked, when the title does not say it all; of a permission the text only names the kind of tool."""
        text = words_of(self.asked.get("text"))[:MOST_TEXT]
        is_said = text.strip() == self.title.strip() or self.asked.get("what") == "permission"
        return "" if is_said else text

    @property
    def html(self) -> SafeString:
        return markdown(self.words)

    @property
    def command(self) -> str:
        return words_of(self.asked.get("command"))[:MOST_COMMAND]

    @property
    def answer(self) -> str:
        """The chosen option by its name, with the words that came with it."""
        option, listed = words_of(self.answered.get("option")), self.asked.get("options")
        options = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        name = next((words_of(one.get("name")) for one in options if one.get("id") == option), option)
        return ": ".join(filter(None, (name, words_of(self.answered.get("text")))))[:2000]

    @property
    def by(self) -> str:
        """person, policy or gone; empty while nobody has answered."""
        return words_of(self.answered.get("by"))


@dataclass
class Note(Entry):
    """A word of ours: that the session was resumed, that the agent waits, what went wrong."""

    text: str = ""
    level: str = "info"
    template = "conversation/_note.html"

    def absorb(self, said: dict[str, Any], at: datetime | None) -> None:
        self.text, self.level = words_of(said.get("text"))[:MOST_TEXT], words_of(said.get("level"))

    @property
    def icon(self) -> str:
        return NOTE_LOOKS.get(self.level, ("info", "mute"))[0]

    @property
    def tone(self) -> str:
        return NOTE_LOOKS.get(self.level, ("info", "mute"))[1]


@dataclass
class Review(Entry):
    """Where the review begins, or what it found."""

    verdict: str = ""
    by: str = ""  # the profile of who reviews
    findings: list[str] = field(default_factory=list)
    template = "conversation/_review.html"

    def absorb(self, said: dict[str, Any], at: datetime | None) -> None:
        self.verdict, self.by = words_of(said.get("verdict")), words_of(said.get("profile"))[:100]
        listed = said.get("findings")
        self.findings = [self._finding(one) for one in listed[:100]] if isinstance(listed, list) else []

    def _finding(self, said: Any) -> str:
        if not isinstance(said, dict):
            return words_of(said)[:4000]
        file = words_of(said.get("file") or said.get("path"))
        place = ":".join(filter(None, (file, words_of(said.get("line")))))
        text = next((words_of(said[key]) for key in ("text", "message", "title") if said.get(key)), words_of(said))
        return " ".join(filter(None, (place, text)))[:4000]
