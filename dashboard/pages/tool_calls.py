"""A tool call of an agent, as an entry of its conversation."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from dashboard.pages.edits import Edit, edit
from dashboard.pages.entries import MOST_COMMAND, Entry, words_of
from dashboard.pages.words import Look, duration

MOST_OUTPUT = 40_000  # characters of the output that are shown: the last ones
MOST_INPUT = 8_000
MOST_EDITED = 400_000  # characters of a file whose changes are looked for
MOST_EDITS = 10  # files of one call
ICONS = {
    "execute": "terminal", "bash": "terminal", "shell": "terminal", "read": "file", "edit": "edit", "write": "edit",
    "patch": "edit", "delete": "trash", "move": "files", "search": "search", "grep": "search", "glob": "search",
    "list": "folder", "fetch": "link", "webfetch": "link", "think": "info",
}  # fmt: skip
VERBS = {"read": "Read", "edit": "Edit", "delete": "Delete", "search": "Search", "fetch": "Fetch"}


@dataclass
class Tool(Entry):
    """A tool call, with what went in and came out, and the edits that it made."""

    said: dict[str, Any] = field(default_factory=dict)  # the newest of everything
    sources: dict[str, int] = field(default_factory=dict)  # the line that said so
    ended: datetime | None = None
    template = "conversation/_tool.html"

    def absorb(self, said: dict[str, Any], at: datetime | None) -> None:
        news = {key: value for key, value in said.items() if value is not None}
        self.said.update(news)
        self.sources.update(dict.fromkeys(news, self.lines[-1]))
        if self.status in ("completed", "failed") and self.ended is None:
            self.ended = at

    @property
    def may_grow(self) -> bool:
        return not self.is_over and self.status not in ("completed", "failed")

    @property
    def needed(self) -> list[int]:
        return sorted({self.begins, *self.sources.values()})

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
        return next((icon for word, icon in ICONS.items() if word in named), "chip")

    @property
    def command(self) -> str:
        """The command line, for tools that run one."""
        given = self.said.get("input")
        command = given.get("command") if isinstance(given, dict) else None
        if isinstance(command, list):
            command = " ".join(map(words_of, command))
        return words_of(command)[:MOST_COMMAND]

    @property
    def title(self) -> str:
        title, kind = words_of(self.said.get("title")), words_of(self.said.get("tool"))
        is_path = " " not in title and ("/" in title or "." in title)  # some say only which file
        verb = VERBS.get(kind, "") if is_path else ""
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
        """Without what a progress bar has drawn over."""
        lines = words_of(self.said.get("output")).rstrip().replace("\r\n", "\n").split("\n")
        return "\n".join(line.rsplit("\r", 1)[-1] for line in lines)

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
