"""What Celery carries: the wish that a node starts a worker at once."""

from celery import shared_task

from workers import driving


@shared_task(name="workers.run_worker", ignore_result=True)  # type: ignore[untyped-decorator]
def run_worker(worker_id: int, epoch: int) -> None:
    """Have the worker claimed and driven. A doubled or late message finds nothing to claim."""
    driving.submit(driving.run, worker_id, epoch)
