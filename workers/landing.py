"""Carries out, on the node that has the repository, what people want to become of branches."""

import logging

from django.db import DatabaseError

from specs.directories import outside
from workers import branches
from workers.git import GitFailed
from workers.models import Landing, Node, retrying
from workers.states import LandingKind

logger = logging.getLogger(__name__)


def pending(node: Node) -> list[int]:
    """The landings that this node is asked for, the oldest first."""
    waiting = Landing.objects.filter(done_at__isnull=True, worker__node=node)
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def carry_out(landing_id: int) -> None:
    """Merge or discard. Twice does no harm: the second finds it done, or finds git where the first has left it."""
    query = Landing.objects.filter(pk=landing_id, done_at=None).select_related("worker__project")
    landing = retrying(query.first)
    if landing is None:
        return
    try:
        landing.succeeded(_land(landing))
    except branches.CannotLand as error:
        landing.failed(str(error), error.conflicts)
    except GitFailed as error:
        landing.failed(str(error))
    except DatabaseError as error:
        logger.warning("Landing %s could not be recorded, and will be tried again: %s", landing_id, error)
    except Exception:
        logger.exception("Landing %s met a defect", landing_id)
        landing.failed("A defect in Specyard stopped this. The node's log says more.")  # or it would be tried for ever


def _land(landing: Landing) -> str:
    worker, project = landing.worker, landing.worker.project
    if problem := outside(project.directory):
        raise branches.CannotLand(f"The project's directory cannot be used: {problem}.")
    if landing.kind == LandingKind.DISCARD:
        branches.discard(project.directory, worker.workspace, worker.branch)
        return ""
    message = f"Merge {worker.branch}\n\nSpec: {worker.title}\nWorker: {worker.pk}"
    return branches.merge(project.directory, worker.branch, project.default_branch, message).commit
