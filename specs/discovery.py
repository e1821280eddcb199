"""Finds spec files, and the project that a file belongs to, by looking at folders only."""

import os
from pathlib import Path

from specs.errors import SpecInvalid
from specs.importers import importer_for

FOLDER = ".specyard"


def spec_files(path: Path) -> list[Path]:
    """`path` itself if it is a file, else the specs in its `.specyard` folder. Raises SpecInvalid if none."""
    if not os.path.exists(path):  # never raises, unlike `path.exists()`
        raise SpecInvalid([("path", f"{path} does not exist")])
    if not os.path.isdir(path):
        return [path]
    folder = path if path.name == FOLDER else path / FOLDER
    files = sorted(file for file in folder.glob("*") if file.is_file() and importer_for(file))
    if not files:
        raise SpecInvalid([("path", f"there is no spec in {folder} (*.yaml or *.yml)")])
    return files


def project_roots(path: Path) -> list[Path]:
    """The folders that may be the project of `path`, best first: holder of `.specyard`, git's top level."""
    start = path if path.is_dir() else path.parent
    upwards = [start, *start.parents]
    holders = [folder.parent for folder in upwards if folder.name == FOLDER]
    if path.is_dir() and (path / FOLDER).is_dir():
        holders.append(path)
    git = [folder for folder in upwards if (folder / ".git").exists()]
    return [*holders[:1], *git[:1], start]
