"""Where a worker works: in the project's directory itself, in a copy of it, or in a git worktree."""

import hashlib
import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from specs.models import Isolation, Project

NOT_IN_A_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\/]+|\.{2,}|@\{")


@dataclass(frozen=True)
class Workspace:
    """A worker's directory and what has to be done before the first chunk."""

    directory: Path
    source: Path | None  # what it is made from; None when the work is done in place
    setup: str
    branch: str = ""  # of the worktree that it shall be; "" for a copy
    base: str = ""  # the branch that the worktree begins with
    ahead: str = ""  # with what the records of worktrees begin that were made for such a worker

    @property
    def needs_preparation(self) -> bool:
        return self.source is not None or bool(self.setup)

    def preparation(self) -> dict[str, Any]:
        """The fields of the runner's `prepare` request that make this workspace."""
        target, fields = os.fspath(self.directory), {"command": self.setup, "cwd": os.fspath(self.directory)}
        if self.source is None:
            return fields
        source = os.fspath(self.source)
        if not self.branch:
            return {**fields, "copy": {"source": source, "target": target}}
        worktree = {"repository": source, "target": target, "branch": self.branch, "base": self.base}
        worktree["ahead"] = self.ahead
        return {**fields, "worktree": worktree}


def for_worker(project: Project, folder: str, spec: str = "spec") -> Workspace:
    """The workspace that the worker with this folder gets for the project; `spec` names its branch."""
    source = Path(project.directory)
    if project.isolation == Isolation.IN_PLACE:
        return Workspace(directory=source, source=None, setup=project.setup_command)
    directory: Path = settings.SPECYARD.data / "workspaces" / folder
    if project.isolation == Isolation.COPY:
        return Workspace(directory, source, project.setup_command)
    branch = f"spec/{_in_a_branch(spec)}-{folder.partition('-')[0]}"
    ahead = os.fspath(records() / f"{Kind.of(project).key}-")
    return Workspace(directory, source, project.setup_command, branch, project.default_branch, ahead)


def _in_a_branch(name: str) -> str:
    """The name as a part of a branch's, by the rules of git-check-ref-format(1), "-" for what they forbid."""
    return NOT_IN_A_BRANCH.sub("-", name).lstrip(".-")[:60] or "spec"


@dataclass(frozen=True)
class Kind:
    """What must be the same for a worktree that was made ahead to be right for a worker of the project.

    The setup command is not: it may need to know the worker, so that it runs when there is one.
    """

    project: str
    repository: str
    base: str
    environment: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, project: Project) -> "Kind":
        variables = tuple(sorted(project.environment.items()))
        return cls(project.name, project.directory, project.default_branch, variables)

    @property
    def key(self) -> str:
        """Names it; nothing of the variables can be read from that."""
        told = json.dumps([self.repository, self.base, self.environment])
        return hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()[:16]


def number_of(folder: str) -> int:
    """The number of the worker with this folder, or of that of the run with this name; 0 for none."""
    number = folder.partition("-")[0]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else 0


def is_own(directory: str) -> bool:
    """Whether it was made for a worker, whatever its project says by now."""
    data: Path = settings.SPECYARD.data
    return Path(directory).is_relative_to(data / "workspaces")


def records() -> Path:
    """Where it is written down which worktrees were made ahead."""
    data: Path = settings.SPECYARD.data
    return data / "ahead"


def inherit_agent_data(folder: str, before: str) -> None:
    """Give a worker what the agents of an earlier one have stored, where that is on this node.

    Nothing of the earlier one may be alive: two processes on the same data break one another.
    """
    theirs, own = agent_data(before), agent_data(folder)
    if theirs.is_dir() and not own.exists():
        theirs.rename(own)


def agent_data(folder: str) -> Path:
    """Where the agents of the worker with this folder keep what is theirs, such as sessions."""
    data: Path = settings.SPECYARD.data
    return data / "agents" / folder


def set_aside(path: Path) -> None:
    """Leave what has this name to whom it belongs: a database that was restored from a backup gives names once more."""
    with suppress(FileNotFoundError):
        path.rename(path.with_name(f"{path.name}.{secrets.token_hex(4)}"))
