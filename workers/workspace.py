"""Where a worker works: in the project's directory itself, or in a copy of it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from specs.models import Isolation, Project


@dataclass(frozen=True)
class Workspace:
    """A worker's directory and what has to be done before the first chunk."""

    directory: Path
    source: Path | None  # to be copied from; None when the work is done in place
    setup: str

    @property
    def needs_preparation(self) -> bool:
        return self.source is not None or bool(self.setup)

    def preparation(self) -> dict[str, Any]:
        """The fields of the runner's `prepare` request that make this workspace."""
        copy = None
        if self.source is not None:
            copy = {"source": os.fspath(self.source), "target": os.fspath(self.directory)}
        return {"copy": copy, "command": self.setup, "cwd": os.fspath(self.directory)}


def for_worker(project: Project, worker_id: int) -> Workspace:
    """The workspace that a worker of the project gets."""
    source = Path(project.directory)
    if project.isolation == Isolation.IN_PLACE:
        return Workspace(directory=source, source=None, setup=project.setup_command)
    copies: Path = settings.SPECYARD.data / "workspaces"
    return Workspace(directory=copies / str(worker_id), source=source, setup=project.setup_command)
