"""What Celery carries: wishes that a node should carry out at once."""

from celery import shared_task

from workers import driving
from workers.canary import canary


@shared_task(name="workers.run_worker", ignore_result=True)  # type: ignore[untyped-decorator]
def run_worker(worker_id: int, epoch: int) -> None:
    """Have the worker claimed and driven. A doubled or late message finds nothing to claim."""
    canary.arrive()
    driving.submit(driving.run, worker_id, epoch)


@shared_task(name="workers.land", ignore_result=True)  # type: ignore[untyped-decorator]
def land(landing_id: int) -> None:
    """Have a branch merged or discarded."""
    canary.arrive()
    driving.land(landing_id)


@shared_task(name="workers.canary", ignore_result=True)  # type: ignore[untyped-decorator]
def arrive() -> None:
    """Say that this node takes messages."""
    canary.arrive()
