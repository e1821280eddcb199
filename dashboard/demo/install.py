"""Puts the demo into the yard."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from dashboard.demo import acme_api, docs_site, storefront
from dashboard.demo.history import GitFailed, make_repository
from specs.editing import update_project
from specs.errors import SpecInvalid
from specs.importing import ImportResult, import_path
from specs.models import Isolation, Spec
from workers.models import emit, unit_of_work
from workers.runner.environment import base
from workers.states import EventKind

REPOSITORIES = (acme_api, storefront, docs_site)
NEEDED = ("git", "python3", "tar")  # by the chunks


class DemoRefused(Exception):
    """The demo cannot be set up; the message says why."""


@dataclass(frozen=True)
class Demo:
    """The specs of the demo, and whether any of it was missing before."""

    specs: list[Spec]
    is_new: bool


def set_up(folder: Path) -> Demo:
    """Make the repositories in `folder` and import their specs. What is there already stays as it is.

    Raises DemoRefused; then nothing was imported.
    """
    _check_programs()
    try:
        made = [make_repository(folder / one.NAME, one.commits()) for one in REPOSITORIES]
        results = _import(folder)
    except (GitFailed, SpecInvalid, OSError) as error:
        raise DemoRefused(f"The demo could not be set up in {folder}: {error}") from error
    return Demo([result.spec for result in results], any(made) or any(result.changed for result in results))


def _check_programs() -> None:
    """The chunks find programs on the PATH that the runner gives them, where our own interpreter is not."""
    if missing := [name for name in NEEDED if shutil.which(name, path=base()["PATH"]) is None]:
        raise DemoRefused(f"The demo needs {' and '.join(missing)} on the PATH.")


@unit_of_work
def _import(folder: Path) -> list[ImportResult]:
    """All specs or none. Open pages that offer the demo learn that the yard is not empty any more."""
    results = [result for one in REPOSITORIES for result in import_path(folder / one.NAME)]
    for project in {result.spec.project for result in results if result.created}:
        update_project(project, {"isolation": Isolation.COPY.value})  # its chunks make their commits themselves
    if any(result.created for result in results):
        emit(EventKind.SETTINGS_CHANGED, specs=len(results))
    return results
