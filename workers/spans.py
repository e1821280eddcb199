"""What a worker has changed: from one commit of its branch to a later one, by chunk or as a whole."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from specs.secrets import values_to_hide
from workers import diffs
from workers.diffs import Change, Difference, Totals
from workers.models import Worker, WorkerChunk
from workers.runner.masking import Mask


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

    @cached_property
    def mask(self) -> Mask:
        """Hides secrets, which somebody may have committed."""
        return Mask(values_to_hide(self.worker.project))

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
    """What each chunk that has passed has changed, as the branch has them one after the other; nothing without one.

    That is the order in which they passed: one that was skipped or had failed comes after those that went on.
    """
    if not worker.branch:
        return []
    passed = [chunk for chunk in worker.chunks.order_by("finished_at", "ordinal") if chunk.commit]
    ends = [worker.base_commit, *(chunk.commit for chunk in passed)]
    return [Span(worker, old, new, chunk) for chunk, (old, new) in zip(passed, pairwise(ends), strict=True)]


def whole_of(worker: Worker) -> Span:
    """What all of them together have changed."""
    return Span(worker, worker.base_commit, worker.tip)
