"""Questions to people, as cards and panels show them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.safestring import SafeString

from dashboard.pages.edits import Edit, edit
from dashboard.pages.entries import words_of
from dashboard.pages.markdown import markdown
from dashboard.pages.words import visible
from workers.errors import InvalidWords
from workers.models import Question
from workers.models.worker import IS_OPEN
from workers.states import QuestionKind, StuckOption

MOST_TEXT = 20_000
MOST_EDITS = 10  # of one question
MOST_SHOWN = 5  # of a worker at once: the oldest
SHORT = 50  # characters of an option's own name that fit on a button

# What the protocol of agents knows, in the order in which it is offered, as we call it.
PERMISSIONS = {
    "allow_once": "Allow once",
    "allow_always": "Allow always",
    "reject_once": "Deny",
    "reject_always": "Deny always",
}
ORDER = [*PERMISSIONS, *StuckOption.values]
SAYS_NOTHING = ("", "allow always", "always allow", "always")  # about what it covers
TOOLS = ("read", "edit", "delete", "move", "search", "execute", "fetch")
LOOKS = {"allow_once": "button-primary", "reject_once": "button-danger", "reject_always": "button-danger"}
LOOKS[StuckOption.RETRY] = "button-primary"
ICONS = {StuckOption.RETRY: "retry", StuckOption.SKIP: "skipped"}
HEADINGS = {
    QuestionKind.PERMISSION: "Agent asks permission",
    QuestionKind.BLOCKED: "Agent cannot go on",
    QuestionKind.STUCK: "Chunk is stuck",
}


@dataclass(frozen=True)
class Choice:
    """A button."""

    id: str
    kind: str
    label: str
    name: str  # as whoever asks calls it
    key: int  # that presses it

    @property
    def is_always(self) -> bool:
        """Whether it is about further requests too."""
        return self.kind.endswith("_always")

    @property
    def look(self) -> str:
        return LOOKS.get(self.kind, "")

    @property
    def icon(self) -> str:
        return ICONS.get(self.kind, "")


@dataclass(frozen=True)
class Ask:
    """An open question."""

    question: Question

    @property
    def heading(self) -> str:
        return HEADINGS[QuestionKind(self.question.kind)]

    @property
    def forms(self) -> list[str]:
        """The ids of its forms: for a choice, and for words."""
        return [f"question-{self.question.pk}-{name}" for name in ("choice", "words")]

    @property
    def stuck_at(self) -> int:
        """The number of the chunk that is stuck; 0 when none is."""
        return self.question.attempt.chunk.ordinal if self.question.kind == QuestionKind.STUCK else 0

    @property
    def agent(self) -> str:
        """Who asks."""
        return self.question.attempt.profile or "The agent"

    @cached_property
    def choices(self) -> list[Choice]:
        """The buttons; options of a kind that occurs twice go by the names that they were given."""
        listed = [one for one in self.question.options if isinstance(one, dict)]
        offered = [tuple(words_of(one.get(key)) for key in ("kind", "name", "id")) for one in listed]
        offered.sort(key=lambda one: ORDER.index(one[0]) if one[0] in ORDER else len(ORDER))
        kinds = Counter(kind for kind, _, _ in offered)
        return [
            Choice(ident, kind, self._label(kind, name, kinds[kind] == 1), name, at)
            for at, (kind, name, ident) in enumerate(offered, start=1)
        ]

    def _label(self, kind: str, name: str, is_single: bool) -> str:
        known = PERMISSIONS.get(kind, "") if is_single else ""
        return (known or name or kind)[:SHORT]

    @property
    def quick(self) -> list[Choice]:
        """What a card offers: what cannot be more than this once; nothing that has to be looked at first."""
        if self.question.kind == QuestionKind.PERMISSION and not self.command and not self.edits:
            return []
        return [one for one in self.choices if one.kind in ("allow_once", "reject_once", *StuckOption.values)]

    @property
    def has_always(self) -> bool:
        return any(one.is_always for one in self.choices)

    @property
    def always(self) -> str:
        """What "always" covers, in the words of whoever asks, where the button does not show them; else empty."""
        name = next((one.name for one in self.choices if one.kind == "allow_always"), "")
        return "" if name.lower() in SAYS_NOTHING or any(one.label == name for one in self.choices) else name

    @property
    def tool(self) -> str:
        """The kind of tool that it asks permission for, in the protocol's words; empty where it is none of them."""
        return self.question.text if self.question.text in TOOLS else ""

    def refuse_unknown(self, option: str) -> None:
        """Raises InvalidWords for what is none of its choices, naming these as the page does."""
        if self.question.is_open and self.choices and option not in [one.id for one in self.choices]:
            raise InvalidWords(f"Choose one of: {', '.join(one.label for one in self.choices)}.")

    @property
    def refusal(self) -> Choice | None:
        """How words are given instead of a permission."""
        return next((one for one in self.choices if one.kind == "reject_once"), None)

    @property
    def takes_words(self) -> bool:
        return self.question.kind != QuestionKind.PERMISSION or self.refusal is not None

    @property
    def command(self) -> str:
        return visible(words_of(self.question.detail.get("command"))[:MOST_TEXT])

    @property
    def input(self) -> str:
        """What the tool would get, where it is neither a command nor an edit."""
        return visible(words_of(self.question.detail.get("input"))[:MOST_TEXT])

    @property
    def brief(self) -> str:
        """What is asked, in one line: the command itself, not what the agent calls it."""
        return self.command or visible(self.question.sentence)

    @property
    def html(self) -> SafeString:
        """What the agent, or we, say about it."""
        return markdown(self.question.text[:MOST_TEXT])

    @property
    def _diffs(self) -> list[dict[str, Any]]:
        listed = self.question.detail.get("diffs")
        return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []

    @property
    def edits(self) -> list[Edit]:
        """What would be changed."""
        return [edit(*(words_of(one.get(key)) for key in ("path", "old", "new"))) for one in self._diffs[:MOST_EDITS]]

    @property
    def unseen(self) -> int:
        """How many more files would be changed than are shown."""
        left_out = self.question.detail.get("more")
        return max(0, len(self._diffs) - MOST_EDITS) + (left_out if isinstance(left_out, int) else 0)


def open_questions(workers: Iterable[int]) -> dict[int, list[Ask]]:
    """What waits for a person, by worker, the oldest first: one query, none for no workers."""
    workers = list(workers)
    found: dict[int, list[Ask]] = {pk: [] for pk in workers}
    if workers:
        rows = Question.objects.filter(IS_OPEN, worker__in=workers).select_related("attempt__chunk").order_by("pk")
        for question in rows:
            found[question.worker_id].append(Ask(question))
    return found
