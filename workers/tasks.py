"""What Celery carries: wishes that a node should carry out at once."""

from celery import shared_task

from workers import driving


@shared_task(name="workers.run_worker", ignore_result=True)  # type: ignore[untyped-decorator]
def run_worker(worker_id: int, epoch: int) -> None:
    """Have the worker claimed and driven. A doubled or late message finds nothing to claim."""
    driving.submit(driving.run, worker_id, epoch)


@shared_task(name="workers.land", ignore_result=True)  # type: ignore[untyped-decorator]
def land(landing_id: int) -> None:
    """Have a branch merged or discarded."""
    driving.land(landing_id)
