"""The queue application."""

from typing import Any

from django.apps import AppConfig


class QueueConfig(AppConfig):
    name = "queue_app"
    verbose_name = "Queue"

    def ready(self) -> None:
        from specs.signals import spec_in_use
        from workers.signals import slots_may_be_free, workspaces_wanted

        spec_in_use.connect(entry_of, dispatch_uid="queue_app.entry_of")
        slots_may_be_free.connect(fill, dispatch_uid="queue_app.fill")
        workspaces_wanted.connect(next_projects, dispatch_uid="queue_app.next_projects")


def entry_of(sender: Any, spec: Any, **_: Any) -> str | None:
    """A sentence when the spec waits in the queue."""
    from queue_app.models import WorkerQueue

    return "It waits in the queue." if WorkerQueue.objects.filter(spec=spec).exists() else None


def fill(sender: Any, **_: Any) -> None:
    """A slot may be free: start what may start."""
    from queue_app.dispatch import fill_slots

    fill_slots()


def next_projects(sender: Any, node: Any, most: int, **_: Any) -> list[Any]:
    """The projects of what starts next on the node."""
    from queue_app.upcoming import upcoming

    return upcoming(node, most)
