"""What a worker has changed: from one commit of its branch to a later one, by chunk or as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from workers import diffs
from workers.diffs import Change, Difference, Totals
from workers.models import Worker, WorkerChunk


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
    def difference(self) -> Difference:
        """Raises GitFailed."""
        return diffs.changes(self.directory, self.old, self.new)

    @property
    def files(self) -> list[Change]:
        """Raises GitFailed."""
        return self.difference.files

    @property
    def totals(self) -> Totals:
        """Raises GitFailed."""
        return self.difference.totals

    def find(self, key: str) -> Change | None:
        """The file that has this key. Raises GitFailed."""
        return next((file for file in self.files if file.key == key), None)


def spans_of(worker: Worker) -> list[Span]:
    """What each chunk that has passed has changed; nothing for a worker without a branch."""
    passed = [chunk for chunk in worker.chunks.order_by("ordinal") if chunk.commit] if worker.branch else []
    ends = [worker.base_commit, *(chunk.commit for chunk in passed)]
    return [Span(worker, old, new, chunk) for chunk, (old, new) in zip(passed, pairwise(ends), strict=True)]


def whole_of(worker: Worker, spans: Sequence[Span]) -> Span:
    """What all of them together have changed."""
    return Span(worker, worker.base_commit, spans[-1].new if spans else worker.base_commit)
