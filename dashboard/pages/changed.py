"""The changes of a worker as its page shows them: which files, what of them is open, and their lines."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.urls import reverse

from dashboard.pages import words
from dashboard.pages.fragments import Fragment
from dashboard.pages.hunks import Line, head_of, lines_of, pairs_of
from dashboard.pages.syntax import MOST_CHARACTERS, lexer_for
from workers import diffs, patches
from workers.diffs import Change, Difference, Kind
from workers.git import GitFailed
from workers.models import Worker
from workers.patches import Patch
from workers.spans import Span, whole_of

MOST_ROWS = 300  # files of one list
MOST_OPEN, OPEN_LINES = 5, 400  # what is shown without a click
GENERATED = re.compile(
    r"(^|/)(package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|[\w.-]+\.lock|go\.sum|[\w.-]+\.min\.(js|css)|[\w.-]+\.map)$"
)
NOTES = {Kind.ADDED: "new", Kind.DELETED: "deleted", Kind.RETYPED: "another type of file"}


@dataclass(frozen=True)
class View:
    """What somebody wants to see: the whole worker, each chunk by itself, or one of them; as the address says it."""

    worker: Worker
    chunk: str = ""  # an ordinal
    by: str = ""  # "chunk": each by itself
    layout: str = ""  # "split": before and after side by side
    q: str = ""  # a part of the paths
    file: str = ""  # a path that is to be open

    def address(self, **other: str) -> str:
        """Of the same with something changed."""
        wanted = replace(self, **{"file": "", **other})
        query = {name: value for name, value in vars(wanted).items() if name != "worker" and value}
        base = reverse("worker-changes", args=[self.worker.pk])
        return f"{base}?{urlencode(query)}" if query else base

    @property
    def whole(self) -> str:
        return self.address(by="", chunk="")

    @property
    def per_chunk(self) -> str:
        return self.address(by="chunk", chunk="")

    @property
    def unified(self) -> str:
        return self.address(layout="")

    @property
    def split(self) -> str:
        return self.address(layout="split")

    @property
    def is_split(self) -> bool:
        return self.layout == "split"

    @property
    def is_whole(self) -> bool:
        return not self.chunk and self.by != "chunk"

    def among(self, files: Sequence[Change]) -> list[Change]:
        """Those whose paths somebody wants to see."""
        wanted = self.q.casefold()
        return [file for file in files if wanted in file.path.casefold()]


def count_of(worker: Worker) -> Fragment:
    """How much it has changed, as its tab says it; without numbers where git would have to be asked."""
    whole = whole_of(worker)
    difference = diffs.remembered(whole.directory, whole.old, whole.new)
    context = {"span": whole, "totals": difference and difference.totals}
    return Fragment(f"worker-{worker.pk}-count", "workers/_changes_count.html", context)


@dataclass(frozen=True)
class Shown:
    """The lines of one file, or why they cannot be shown."""

    row: "Row"
    patch: Patch = field(default_factory=lambda: Patch([]))
    error: str = ""

    @property
    def hunks(self) -> Iterator[tuple[str, list[Line] | list[tuple[Line | None, Line | None]]]]:
        """(head, lines) or (head, pairs of lines)."""
        lines = pairs_of if self.row.view.is_split else lines_of
        size = sum(len(line.value) for hunk in self.patch.hunks for line in hunk)
        lexer = lexer_for(self.row.change.path) if size <= MOST_CHARACTERS else None
        for hunk in self.patch.hunks:
            yield head_of(hunk), lines(hunk, lexer)

    @property
    def instead(self) -> str:
        """What is said where there are no lines; "" where there are some."""
        if self.error or self.patch.hunks:
            return self.error
        if self.row.change.is_binary:
            return f"A binary file, {self.row.growth}."
        if self.patch.shown is not None:
            return f"Its lines are too long to be shown: {words.size(self.row.size or 0)}."
        return "Its contents are the same."

    @property
    def cut(self) -> str:
        """What was left out, "" for nothing."""
        if self.patch.shown is None:
            return ""
        size = f" in a file of {words.size(self.row.size)}" if self.row.size else ""
        return f"Cut after {self.patch.shown} lines. It has {words.count(self.row.change.lines, 'changed line')}{size}."


@dataclass(frozen=True)
class Row:
    """One file of a list."""

    span: Span
    change: Change
    view: View
    sizes: dict[str, int]
    by: str = ""  # the chunks that changed it
    shown: Shown | None = None  # when it is open from the start

    @property
    def key(self) -> str:
        """Names what is shown of it: the same key, the same lines."""
        what = (*self.change.blobs, *self.change.modes, self.change.path, self.change.was, self.view.layout)
        return _key(*what)

    @property
    def anchor(self) -> str:
        return f"file-{self.span.chunk.ordinal if self.span.chunk else 0}-{self.change.key}"

    @property
    def address(self) -> str:
        """Of the page with this file open."""
        return f"{self.view.address(file=self.change.path)}#{self.anchor}"

    @property
    def lines_address(self) -> str:
        """Of its lines alone."""
        return self._patch_address(layout=self.view.layout)

    @property
    def raw_address(self) -> str:
        """Of the patch as a file."""
        return self._patch_address(raw="1")

    def _patch_address(self, **more: str) -> str:
        query = {"old": self.span.old, "new": self.span.new, "file": self.change.key}
        query |= {name: value for name, value in more.items() if value}
        return f"{reverse('worker-patch', args=[self.view.worker.pk])}?{urlencode(query)}"

    @property
    def place(self) -> str:
        """The directories of its path, which give way before its name does."""
        head, slash, _ = self.change.path.rpartition("/")
        return head + slash

    @property
    def name(self) -> str:
        return self.change.path.rpartition("/")[2]

    @property
    def size(self) -> int | None:
        """How many bytes it has now, or had before it was deleted."""
        before, after = self.change.blobs
        return self.sizes.get(after, self.sizes.get(before))

    @property
    def growth(self) -> str:
        """The sizes of a binary file before and after."""
        known = [words.size(self.sizes[blob]) for blob in self.change.blobs if blob in self.sizes]
        return " → ".join(dict.fromkeys(known))

    @property
    def is_generated(self) -> bool:
        return GENERATED.search(self.change.path) is not None

    @property
    def notes(self) -> list[str]:
        """What has become of it besides its lines."""
        change = self.change
        found = [f"was {change.was}"] if change.was != change.path else []
        found += [NOTES[change.kind]] if change.kind in NOTES else []
        found += ["symbolic link"] if change.is_link else []
        found += ["submodule"] if change.is_submodule else []
        if change.became_executable is not None:
            found.append("made executable" if change.became_executable else "no longer executable")
        elif change.kind is Kind.ADDED and change.modes[1] == diffs.EXECUTABLE:
            found.append("executable")
        return found

    def opened(self) -> "Row":
        """The same with its lines."""
        try:
            patch = patches.patch(self.span.directory, self.span.old, self.span.new, self.change, self.span.mask)
            needs_size = patch.shown is not None or self.change.is_binary
            sizes = diffs.sizes(self.span.directory, [self.change]) if needs_size else self.sizes
        except GitFailed as error:
            return replace(self, shown=Shown(self, error=str(error)))
        row = replace(self, sizes=sizes)
        return replace(row, shown=Shown(row, patch))


@dataclass(frozen=True)
class Listing:
    """The files of one span that somebody wants to see."""

    span: Span
    view: View
    rows: list[Row]
    left_out: int  # files that are not listed because there are too many

    @property
    def address(self) -> str:
        """Of this chunk alone."""
        return self.view.address(chunk=str(self.span.chunk.ordinal), by="") if self.span.chunk else self.view.whole

    @property
    def key(self) -> str:
        """Names what is listed: the same key, the same files."""
        return _key(self.span.old, self.span.new, self.view.layout, self.view.q)

    @property
    def list_address(self) -> str:
        """Of the list alone."""
        query = {"chunk": self.span.chunk and self.span.chunk.ordinal, "layout": self.view.layout, "q": self.view.q}
        given = {name: value for name, value in query.items() if value}
        return f"{reverse('worker-changes-files', args=[self.view.worker.pk])}?{urlencode(given)}"


def listing_of(span: Span, view: View, chunks: dict[str, list[int]] | None = None) -> Listing:
    """Its files, the wanted one or the first of them open; `chunks` changed each path. Raises GitFailed."""
    files = view.among(span.files)
    first, wanted = files[:MOST_ROWS], [file for file in files if file.path == view.file]
    listed = first + [file for file in wanted if file not in first]
    sizes = diffs.sizes(span.directory, [file for file in listed if file.is_binary])
    rows = [Row(span, file, view, sizes, _chunks((chunks or {}).get(file.path, ()))) for file in listed]
    return Listing(span, view, list(_open_some(rows, view.file if wanted else "")), len(files) - len(listed))


@dataclass(frozen=True)
class Fold:
    """A chunk of which only the numbers are shown until somebody opens it."""

    listing: Listing  # without rows
    difference: Difference
    found: int  # how many of its files are among those that are asked for


def folds_of(spans: Sequence[Span], view: View) -> list[Fold]:
    """The chunks that have, or may have, changed a file that is asked for: one question to git. Raises GitFailed."""
    differences = diffs.each(view.worker.project.directory, [(span.old, span.new) for span in spans])
    folds = []
    for span, difference in zip(spans, differences, strict=True):
        found = len(view.among(difference.files))
        if found or not view.q or difference.left_out:  # who knows what is among those
            folds.append(Fold(Listing(span, view, [], found), difference, found))
    return sorted(folds, key=lambda fold: fold.listing.span.chunk.ordinal)


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _chunks(ordinals: Sequence[int]) -> str:
    """`chunk 3`, `chunks 3, 4`, `chunks 3, 4 and 5 more`."""
    if len(ordinals) < 2:
        return "".join(f"chunk {ordinal}" for ordinal in ordinals)
    more = f" and {len(ordinals) - 2} more" if len(ordinals) > 2 else ""
    return f"chunks {', '.join(map(str, ordinals[:2]))}{more}"


def _open_some(rows: Sequence[Row], wanted: str) -> Iterator[Row]:
    """With the lines of the file that is wanted; where none is, with those of the first that are not long."""
    lines = files = 0
    for row in rows:
        fits = not wanted and files < MOST_OPEN and lines + row.change.lines <= OPEN_LINES
        if row.change.path == wanted or (fits and row.change.lines and not row.is_generated):
            files, lines = files + 1, lines + row.change.lines
            yield row.opened()
        else:
            yield row
