"""The directory of a project: what it must be before anything is stored or run in it."""

import os
from pathlib import Path

from specs import limits
from specs.errors import SpecInvalid
from specs.models import Isolation
from specs.text import is_storable


def checked_directory(text: str | Path, field: str = "directory") -> str:
    """The directory's real, absolute path. Raises SpecInvalid with the reason, under the name `field`."""
    problem = _problem(str(text))
    if problem:
        raise SpecInvalid([(field, problem)])
    return os.path.realpath(os.path.expanduser(text))


def usual_isolation(directory: Path) -> Isolation:
    """What suits a project there: a git worktree per worker where it lies in a repository, else copies."""
    inside = any((place / ".git").exists() for place in (directory, *directory.parents))
    return Isolation.WORKTREE if inside else Isolation.COPY


def _problem(text: str) -> str:
    """Why no project can live there, for people; empty when one can."""
    if not text.strip():
        return "is required"
    if not is_storable(text):
        return "holds a NUL character, or is not UTF-8"
    path = os.path.expanduser(text)
    if not os.path.isabs(path):
        return "must be an absolute path"
    if len(path) > limits.PATH_LENGTH:
        return f"must have at most {limits.PATH_LENGTH:,} characters"
    return _problem_on_disk(path)


def _problem_on_disk(path: str) -> str:
    real = os.path.realpath(path)
    if not os.path.exists(real):
        return f"{path} does not exist"
    if not os.path.isdir(real):
        return f"{path} is not a directory"
    if real == os.sep:
        return "the root of the file system is no project"
    if not os.access(real, os.R_OK | os.X_OK):
        return f"{path} cannot be read by the user that runs Specyard"
    return ""
