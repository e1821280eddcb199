"""The entries of a conversation: what each holds, how news of it are taken in, and how it shows."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from django.utils.safestring import SafeString

from dashboard.pages.edits import Edit, edit
from dashboard.pages.markdown import markdown
from dashboard.pages.words import Look, duration

MOST_TEXT = 24_000  # characters of one text that are shown
MOST_OUTPUT = 40_000  # characters of a tool's output that are shown: the last ones
MOST_INPUT = 8_000
MOST_EDITED = 400_000  # characters of a file whose changes are looked for
MOST_EDITS = 10  # files of one tool call
SHORT = 400  # characters of instructions that are shown without a click
OVERDRAWN = re.compile(r"[^\n]*\r(?!\n)")  # what a progress bar has drawn over
TOOL_ICONS = {
    "execute": "terminal", "bash": "terminal", "shell": "terminal", "read": "file", "edit": "edit", "write": "edit",
    "patch": "edit", "delete": "trash", "move": "files", "search": "search", "grep": "search", "glob": "search",
    "list": "folder", "fetch": "link", "webfetch": "link", "think": "info",
}  # fmt: skip
VERBS = {"read": "Read", "edit": "Edit", "delete": "Delete", "search": "Search", "fetch": "Fetch"}
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
    def may_grow(self) -> bool:
        return not self.is_over and any(icon != "completed" for icon, _, _ in self.items)


@dataclass
class Tool(Entry):
    """A tool call, with what went in and came out, and the edits that it made."""

    said: dict[str, Any] = field(default_factory=dict)  # the newest of everything
    ended: datetime | None = None
    template = "conversation/_tool.html"

    def absorb(self, said: dict[str, Any], at: datetime | None) -> None:
        self.said.update({key: value for key, value in said.items() if value is not None})
        if self.status in ("completed", "failed") and self.ended is None:
            self.ended = at

    @property
    def may_grow(self) -> bool:
        return not self.is_over and self.status not in ("completed", "failed")

    @property
    def status(self) -> str:
        return words_of(self.said.get("status"))

    @property
    def look(self) -> Look:
        """`ran into the end of its turn` is neither passed nor failed."""
        if self.status == "completed":
            return Look("done", "check", "accent")
        if self.status == "failed":
            return Look("failed", "failed", "bad")
        return Look("not finished", "stopped", "mute") if self.is_over else Look("running", "spinner", "mute")

    @property
    def took(self) -> str:
        """How long it took, when that is known."""
        if self.at is None or self.ended is None or self.ended <= self.at:
            return ""
        seconds = (self.ended - self.at).total_seconds()
        return f"{seconds:.1f}s" if 1 <= seconds < 10 else duration(seconds)

    @property
    def icon(self) -> str:
        named = f"{words_of(self.said.get('tool'))} {self.title.partition(' ')[0]}".lower()
        return next((icon for word, icon in TOOL_ICONS.items() if word in named), "chip")

    @property
    def command(self) -> str:
        """The command line, for tools that run one."""
        given = self.said.get("input")
        command = given.get("command") if isinstance(given, dict) else None
        if isinstance(command, list):
            command = " ".join(map(words_of, command))
        return words_of(command)[:MOST_INPUT]

    @property
    def title(self) -> str:
        title, kind = words_of(self.said.get("title")), words_of(self.said.get("tool"))
        verb = VERBS.get(kind, "") if title and " " not in title else ""  # some say only which file
        return (f"{verb} {title}".strip() or kind or "Tool call")[:500]

    @property
    def place(self) -> str:
        """The file that it is about, when the title does not name it."""
        listed = self.said.get("locations")
        path = words_of(listed[0]) if isinstance(listed, list) and listed else ""
        return "" if not path or path.rsplit("/", 1)[-1] in self.title else path[:500]

    @property
    def input(self) -> str:
        """What went in, beyond the command and the edits that are shown as such."""
        given = self.said.get("input")
        if isinstance(given, dict):
            shown = {"command"} if self.command else set()
            given = "\n".join(f"{key}: {words_of(value)}" for key, value in given.items() if key not in shown)
        return "" if not given or self.edits else words_of(given)[:MOST_INPUT]

    @cached_property
    def _output(self) -> str:
        return OVERDRAWN.sub("", words_of(self.said.get("output")).rstrip())

    @property
    def output(self) -> str:
        return self._output[-MOST_OUTPUT:]

    @property
    def hidden(self) -> int:
        """Characters of the output that are not shown."""
        return max(0, len(self._output) - MOST_OUTPUT)

    @cached_property
    def edits(self) -> list[Edit]:
        """The files that it changed."""
        listed = self.said.get("diffs")
        found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        return [_edit(one) for one in found[:MOST_EDITS]]

    @property
    def added(self) -> int:
        return sum(edit.added for edit in self.edits)

    @property
    def removed(self) -> int:
        return sum(edit.removed for edit in self.edits)


def _edit(said: dict[str, Any]) -> Edit:
    old, new = words_of(said.get("old")), words_of(said.get("new"))
    return edit(words_of(said.get("path"))[:500], old[:MOST_EDITED], new[:MOST_EDITED])


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
        return words_of(self.asked.get("command"))[:MOST_INPUT]

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
