"""Imports spec files: all of a call or nothing."""

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from django.db import IntegrityError, transaction

from specs import limits
from specs.acting import record
from specs.directories import checked_directory, outside, usual_isolation
from specs.discovery import project_roots, spec_files
from specs.errors import SpecInvalid
from specs.importers import importer_for
from specs.importers.document import SpecDocument
from specs.models import Project
from specs.storing import ImportResult, Source, store
from specs.text import is_name, is_storable, slug

__all__ = ["ImportResult", "import_file", "import_named", "import_path"]


@dataclass(frozen=True)
class _Parsed:
    path: Path
    key: str
    document: SpecDocument
    hash: str


def import_file(path: str | Path, project: Project) -> ImportResult:
    """Imports one file into `project`. Raises SpecInvalid, and stores nothing, when something is wrong."""
    _check_directory(project)
    return _store(_parse(_real(path), project), project)


def import_path(path: str | Path, project: Project | None = None) -> list[ImportResult]:
    """Imports a file, or the specs in the `.specyard` folder of a folder.

    Without `project` they belong to the folder that holds `.specyard`, or to git's top level; that project
    is created, named after the folder, when it does not exist. Raises SpecInvalid, whose paths begin with
    the file's name, and stores nothing, when anything is wrong with any of the files.
    """
    real = _real(path)
    if project is None and (problem := outside(str(real))):  # before anything is said of what is there
        raise SpecInvalid([("path", problem)])
    files = spec_files(real)
    project = project or _project_at(real)
    _check_directory(project)
    parsed = _parse_all(files, project)
    with transaction.atomic():
        if project.pk is None:
            project = _create(project)
        return [_store(item, project) for item in parsed]


def import_named(path: str) -> list[ImportResult]:
    """Imports what somebody elsewhere names, who knows no directory that a relative path could begin at."""
    path = path.strip()
    if not path.startswith(("/", "~")):
        raise SpecInvalid([("path", "give an absolute path, for example /home/you/project")])
    return import_path(path)


def _check_directory(project: Project) -> None:
    """Raises SpecInvalid where the project's directory is none, or not one that may be."""
    checked_directory(project.directory, "project.directory", stored=project.directory if project.pk else "")


def _real(path: str | Path) -> Path:
    if not is_storable(str(path)):
        raise SpecInvalid([("path", "holds a NUL character, or is not UTF-8")])
    path = Path(os.path.expanduser(path)).absolute()
    # A file is known by its own name, also when it is a link; folders are known by their real place.
    return Path(os.path.realpath(path)) if os.path.isdir(path) else Path(os.path.realpath(path.parent), path.name)


def _parse_all(files: list[Path], project: Project) -> list[_Parsed]:
    parsed: dict[str, _Parsed] = {}
    errors: list[tuple[str, str]] = []
    for file in files:
        try:
            item = _parse(file, project)
        except SpecInvalid as error:
            errors += [(f"{file.name}: {field}".removesuffix(": "), text) for field, text in error.errors]
            continue
        first = parsed.setdefault(item.key, item)
        if first is not item:
            errors.append((file.name, f'would be the spec "{item.key}", and so would {first.path.name}'))
    if errors:
        raise SpecInvalid(errors)
    return list(parsed.values())


def _parse(path: Path, project: Project) -> _Parsed:
    importer = importer_for(path)
    if importer is None:
        raise SpecInvalid([("", "is not in a known format; a spec is a .yaml or .yml file")])
    key = _key(path)
    content = _read(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecInvalid([("", f"is not text in UTF-8 (at byte {error.start:,})")]) from error
    document = importer.parse(text, project.default_executor)
    return _Parsed(path, key, document, hashlib.sha256(content).hexdigest())


def _key(path: Path) -> str:
    """The key of a spec from a file: its name without the ending, made fit for an address."""
    key = path.stem if is_name(path.stem) else slug(path.stem)
    if not key or len(key) > limits.NAME_LENGTH:
        raise SpecInvalid([("", f"the file's name must give a name of 1 to {limits.NAME_LENGTH} letters")])
    return key


def _read(path: Path) -> bytes:
    """The file's bytes, never more than a spec may have, and never waiting on a pipe or a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = "does not exist" if error.errno == errno.ENOENT else f"cannot be read: {error.strerror}"
        raise SpecInvalid([("", reason)]) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise SpecInvalid([("", "is not a regular file")])
        content = file.read(limits.FILE_SIZE + 1) if status.st_size <= limits.FILE_SIZE else b""
        if status.st_size > limits.FILE_SIZE or len(content) > limits.FILE_SIZE:
            size = max(status.st_size, len(content))
            raise SpecInvalid([("", f"has {size:,} bytes; a spec may have {limits.FILE_SIZE:,}")])
        return content


def _store(parsed: _Parsed, project: Project) -> ImportResult:
    root = Path(project.directory)
    inside = parsed.path.is_relative_to(root)
    shown = parsed.path.relative_to(root).as_posix() if inside else str(parsed.path)
    return store(project, parsed.key, parsed.document, Source(shown, parsed.hash))


def _project_at(path: Path) -> Project:
    """The project that `path` belongs to; a new one, not yet stored, when there is none."""
    roots = list(project_roots(path))
    for root in roots:
        if project := Project.objects.filter(directory=str(root)).order_by("pk").first():
            return project
    name = slug(roots[0].name)[: limits.NAME_LENGTH - 5] or "project"
    return Project(name=name, directory=str(roots[0]), isolation=usual_isolation(roots[0]))


def _create(project: Project) -> Project:
    """Stores `project` under its name or, where that is taken, under the next free one: name-2, name-3, …"""
    wanted = project.name
    for number in range(2, 10_000):
        try:
            with transaction.atomic():
                project.save(force_insert=True)
                record("project.create", project, after={"name": project.name, "directory": project.directory})
                return project
        except IntegrityError:
            # Perhaps another import was just faster.
            if twin := Project.objects.filter(directory=project.directory).first():
                return twin
            project.name = f"{wanted}-{number}"
    raise SpecInvalid([("project", f'no free name like "{wanted}" for {project.directory}')])
