"""A dispatcher in a process of its own: starts what may start and stops it again until the queue is empty.

`python -m tests.support.dispatcher LIMIT`: says "ready", begins with the first line that it reads, and prints the
most active workers that it ever saw.
"""

import sys

import django


def main(limit: int) -> int:
    """Dispatch until nothing waits. Gives 1 when it saw more than `limit` active workers."""
    django.setup()
    from queue_app import dispatch
    from queue_app.models import WorkerQueue
    from workers.errors import StaleTransition
    from workers.models import Worker, patience
    from workers.models.worker import IS_ACTIVE

    print("ready", flush=True)
    sys.stdin.readline()
    most = 0
    with patience(60):
        while WorkerQueue.objects.exists():
            dispatch.fill_slots()
            active = list(Worker.objects.filter(IS_ACTIVE))
            most = max(most, len(active))
            for worker in active:
                try:
                    worker.request_stop("mira")
                except StaleTransition:
                    continue  # another dispatcher has stopped it
    print(most, flush=True)
    return int(most > limit)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
