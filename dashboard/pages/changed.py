"""The changes of a worker as its page shows them: which files, what of them is open, and their lines."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from urllib.parse import urlencode

from django.urls import reverse

from dashboard.pages import words
from dashboard.pages.fragments import Fragment
from dashboard.pages.hunks import Line, lines_of, pairs_of
from workers import diffs
from workers.diffs import Change, Kind, Patch, Totals
from workers.git import GitFailed
from workers.models import Worker, WorkerChunk

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
        return f"{base}?{urlencode(query, errors='surrogateescape')}" if query else base

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


@dataclass(frozen=True)
class Span:
    """From one commit of a worker's branch to a later one: all of its work, or that of one chunk."""

    worker: Worker
    old: str
    new: str
    chunk: WorkerChunk | None = None

    @property
    def directory(self) -> str:
        return self.worker.project.directory

    @cached_property
    def files(self) -> list[Change]:
        """Raises GitFailed."""
        return diffs.changes(self.directory, self.old, self.new)

    @cached_property
    def totals(self) -> Totals:
        return diffs.totals(self.files)

    def find(self, path: str) -> Change | None:
        return next((file for file in self.files if file.path == path), None)


def spans_of(worker: Worker) -> list[Span]:
    """What each chunk that has passed has changed."""
    passed = [chunk for chunk in worker.chunks.order_by("ordinal") if chunk.commit]
    ends = [worker.base_commit, *(chunk.commit for chunk in passed)]
    return [Span(worker, old, new, chunk) for chunk, (old, new) in zip(passed, pairwise(ends), strict=True)]


def count_of(worker: Worker) -> Fragment:
    """How much it has changed, as its tab says it; without numbers where git would have to be asked."""
    whole = whole_of(worker, spans_of(worker) if worker.branch else [])
    files = diffs.remembered(whole.directory, whole.old, whole.new)
    context = {"span": whole, "totals": None if files is None else diffs.totals(files)}
    return Fragment(f"worker-{worker.pk}-count", "workers/_changes_count.html", context)


def whole_of(worker: Worker, spans: Sequence[Span]) -> Span:
    """What all of them together have changed."""
    return Span(worker, worker.base_commit, spans[-1].new if spans else worker.base_commit)


@dataclass(frozen=True)
class Shown:
    """The lines of one file, or why they cannot be shown."""

    row: "Row"
    patch: Patch = field(default_factory=lambda: Patch([]))
    error: str = ""

    @property
    def hunks(self) -> Iterator[tuple[str, list[Line] | list[tuple[Line | None, Line | None]]]]:
        """(head, lines) or (head, pairs of lines)."""
        for hunk in self.patch.hunks:
            head = f"@@ -{hunk.source_start},{hunk.source_length} +{hunk.target_start},{hunk.target_length} @@"
            lines = pairs_of(hunk) if self.row.view.is_split else lines_of(hunk)
            yield f"{head} {hunk.section_header}".rstrip(), lines

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
        return hashlib.sha256("\0".join(what).encode(errors="surrogateescape")).hexdigest()[:16]

    @property
    def anchor(self) -> str:
        chunk = self.span.chunk.ordinal if self.span.chunk else 0
        return f"file-{chunk}-{hashlib.sha256(self.change.path.encode(errors='surrogateescape')).hexdigest()[:12]}"

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
        query = {"old": self.span.old, "new": self.span.new, "path": self.change.path}
        query |= {name: value for name, value in more.items() if value}
        return f"{reverse('worker-patch', args=[self.view.worker.pk])}?{urlencode(query, errors='surrogateescape')}"

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
            patch = diffs.patch(self.span.directory, self.span.old, self.span.new, self.change)
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


def listing_of(span: Span, view: View, chunks: dict[str, list[int]]) -> Listing:
    """Its files, the first of them open. Raises GitFailed."""
    files = [file for file in span.files if view.q.casefold() in file.path.casefold()]
    listed = files[:MOST_ROWS]
    sizes = diffs.sizes(span.directory, [file for file in listed if file.is_binary])
    rows = [Row(span, file, view, sizes, _chunks(chunks.get(file.path, ()))) for file in listed]
    return Listing(span, view, list(_open_some(rows, view.file)), len(files) - len(listed))


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
