"""What may become, and has become, of the branches of workers that have ended."""

from collections.abc import Iterable
from dataclasses import dataclass

from workers.models import Landing, Worker
from workers.states import LandingKind


@dataclass(frozen=True)
class Standing:
    """Where the branch of one worker stands: the latest try at merging or discarding it, and whether one may follow."""

    landing: Landing | None = None
    can_land: bool = False

    @property
    def can_merge(self) -> bool:
        """Whether it may be merged, and has not been."""
        return self.can_land and (self.landing is None or bool(self.landing.error))


NOWHERE = Standing()


def standings_of(workers: Iterable[Worker]) -> dict[int, Standing]:
    """Of those that have ended and have a branch: two queries, none where there is no such worker.

    The same as `workers.models.landing.refusal` says of one.
    """
    ended = {worker.pk: worker for worker in workers if worker.branch and not worker.is_active}
    if not ended:
        return {}
    landings: dict[int, list[Landing]] = {pk: [] for pk in ended}
    for landing in Landing.objects.filter(worker__in=ended).order_by("pk"):
        landing.worker = ended[landing.worker_id]
        landings[landing.worker_id].append(landing)
    continued = set(Worker.objects.filter(continues__in=ended).values_list("continues", flat=True))
    return {pk: _standing(tries, pk in continued) for pk, tries in landings.items()}


def _standing(tries: list[Landing], is_continued: bool) -> Standing:
    is_discarded = any(landing.kind == LandingKind.DISCARD and not landing.error for landing in tries)
    is_under_way = bool(tries) and tries[-1].done_at is None
    return Standing(tries[-1] if tries else None, not (is_discarded or is_under_way or is_continued))
