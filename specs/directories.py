"""The directory of a project: what it must be before anything is stored or run in it."""

import ipaddress
import os
from pathlib import Path

from django.conf import settings

from specs import limits
from specs.errors import SpecInvalid
from specs.models import Isolation
from specs.text import is_storable


def checked_directory(text: str | Path, field: str = "directory", stored: str = "") -> str:
    """The directory's real, absolute path. Raises SpecInvalid with the reason, under the name `field`.

    `stored` is the directory that the project has already.
    """
    problem = _problem(str(text), stored)
    if problem:
        raise SpecInvalid([(field, problem)])
    return os.path.realpath(os.path.expanduser(text))


def outside(directory: str) -> str:
    """Why no work may be done there by the setting `allowed_roots`, for people; empty when it may.

    Counted is where the directory really is at this moment: a symbolic link may have come, or led elsewhere, before.
    """
    roots: list[Path] = settings.SPECYARD.allowed_roots
    if not roots or any(_is_in(directory, root) for root in (*roots, _of_the_demo())):
        return ""
    named = ", ".join(map(str, roots))
    return f"{directory} is outside of where projects may be (setting server.allowed_roots: {named})"


def usual_isolation(directory: Path) -> Isolation:
    """What suits a project there: a git worktree per worker where it lies in a repository, else copies."""
    inside = any((place / ".git").exists() for place in (directory, *directory.parents))
    return Isolation.WORKTREE if inside else Isolation.COPY


def _is_in(directory: str, root: Path) -> bool:
    return Path(os.path.realpath(directory)).is_relative_to(os.path.realpath(os.path.expanduser(root)))


def _of_the_demo() -> Path:
    """What Specyard makes itself may be in its own directory."""
    data: Path = settings.SPECYARD.data
    return data / "demo"


def _is_for_others() -> bool:
    """Whether the pages are for other machines, too."""
    host: str = settings.SPECYARD.host
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        is_here = host == "localhost"
    return bool(settings.SPECYARD.https) or not is_here


def _problem(text: str, stored: str) -> str:
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
    return outside(path) or _problem_on_disk(path) or _unnamed(os.path.realpath(path), stored)


def _unnamed(real: str, stored: str) -> str:
    """Why no project may begin there before somebody has said where projects may be."""
    known = settings.SPECYARD.allowed_roots or real == stored or _is_in(real, _of_the_demo())
    if known or not _is_for_others():
        return ""
    return (
        "cannot be chosen yet: the pages are for other machines, so set server.allowed_roots to where projects may be"
    )


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
