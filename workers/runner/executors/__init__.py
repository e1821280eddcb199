"""The registry of executors: ours, and those of the entry-point group `specyard.executors`."""

import logging
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

from workers.runner.executors.agent import Agent, Reviewer
from workers.runner.executors.base import Context, Executor, Outcome, Reason, Result
from workers.runner.executors.command import Command
from workers.runner.messages import describe

__all__ = ["Context", "Executor", "Outcome", "Reason", "Result", "registry", "reviewer", "validate"]

GROUP = "specyard.executors"
BUILT_IN: tuple[type[Executor], ...] = (Command, Agent)
log = logging.getLogger("specyard.runner")


@cache
def registry() -> dict[str, type[Executor]]:
    """Executors by name. One that cannot be loaded is logged and left out; ours cannot be replaced."""
    found: dict[str, type[Executor]] = {}
    for entry in entry_points(group=GROUP):
        try:
            found[entry.name] = _executor(entry.load())
        except Exception:
            log.exception("the executor %s of %s cannot be loaded", entry.name, entry.value)
    return {**found, **{executor.name: executor for executor in BUILT_IN}}


def reviewer() -> Executor:
    """What reviews by agent."""
    return Reviewer()


def _executor(value: object) -> type[Executor]:
    if isinstance(value, type) and issubclass(value, Executor):
        return value
    raise TypeError(f"{value!r} is no subclass of Executor")


def validate(executor: str, params: dict[str, Any]) -> list[str]:
    """What is wrong with the parameters, as `field: what is wrong`; [] when nothing is."""
    found = registry().get(executor)
    if found is None:
        return [f"executor: there is no {executor!r}; there are: {', '.join(sorted(registry()))}"]
    try:
        found.Params.model_validate(params)
    except ValidationError as error:
        return describe(error)
    return []
