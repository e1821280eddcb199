"""The workers application."""

from typing import Any

from django.apps import AppConfig


class WorkersConfig(AppConfig):
    name = "workers"
    verbose_name = "Workers"

    def ready(self) -> None:
        from specs.signals import spec_in_use

        spec_in_use.connect(active_worker_of, dispatch_uid="workers.active_worker_of")


def active_worker_of(sender: Any, spec: Any, **_: Any) -> str | None:
    """A sentence naming the active worker that runs the spec, if there is one."""
    from workers.models.worker import IS_ACTIVE, Worker

    worker = Worker.objects.filter(IS_ACTIVE, spec=spec).values_list("pk", flat=True).first()
    return f"Worker {worker} runs it." if worker else None
