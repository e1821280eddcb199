"""The workers application."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save


class WorkersConfig(AppConfig):
    name = "workers"
    verbose_name = "Workers"

    def ready(self) -> None:
        from specs import executors, profiles
        from specs.signals import profile_in_use, spec_in_use

        executors.set_source(executor_checks)
        profiles.set_path(path_of_chunks)
        spec_in_use.connect(active_worker_of, dispatch_uid="workers.active_worker_of")
        profile_in_use.connect(active_worker_with, dispatch_uid="workers.active_worker_with")
        for signal in (post_save, post_delete):
            for sender in ("specs.Project", "specs.Spec", "specs.AgentProfile"):
                signal.connect(tell, sender=sender, dispatch_uid=f"workers.tell.{sender}")


def executor_checks() -> Mapping[str, Callable[[dict[str, Any]], list[str]]]:
    """The executors of this installation, each with the check of its parameters."""
    from workers.runner.executors import registry, validate

    return {name: partial(validate, name) for name in registry()}


def path_of_chunks() -> str:
    """The PATH with which chunks run, and agents are started."""
    from workers.runner import environment

    return environment.base()["PATH"]


def active_worker_of(sender: Any, spec: Any, **_: Any) -> str | None:
    """A sentence naming the active worker that runs the spec, if there is one."""
    from workers.models.worker import IS_ACTIVE, Worker

    worker = Worker.objects.filter(IS_ACTIVE, spec=spec).values_list("pk", flat=True).first()
    return f"Worker {worker} runs it." if worker else None


def active_worker_with(sender: Any, name: str, **_: Any) -> str | None:
    """A sentence naming an active worker that still needs the agent profile, if there is one."""
    from django.db.models import Q

    from specs.executors import AGENT
    from workers.models import WorkerChunk
    from workers.states import ChunkOutcome

    needs = Q(executor=AGENT, params__profile=name) | Q(review__agent__profile=name)
    is_open = Q(outcome__in=(ChunkOutcome.PENDING, ChunkOutcome.RUNNING), worker__slot__isnull=False)
    worker = WorkerChunk.objects.filter(needs, is_open).values_list("worker", flat=True).order_by("worker").first()
    return f"Worker {worker} needs it." if worker else None


def tell(instance: Any, signal: Any, **_: Any) -> None:
    """A project, a spec or an agent profile was written or deleted: open pages hear of it with the commit."""
    from workers.models import emit, unit_of_work
    from workers.states import EventKind

    name = instance._meta.model_name
    told = {"action": f"{name}_deleted"} if signal is post_delete else {"action": f"{name}_saved", name: instance.pk}
    unit_of_work(partial(emit, EventKind.SETTINGS_CHANGED))(**told)
