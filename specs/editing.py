"""What people do to projects and specs by hand; pages, API and admin call these verbs."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from django.db import IntegrityError, transaction
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from specs import executors, limits, profiles
from specs.acting import changes, record
from specs.directories import checked_directory, outside
from specs.durations import refuse
from specs.errors import SpecInvalid
from specs.importers import native, writer
from specs.importers.messages import did_you_mean, errors_of
from specs.importers.types import Name
from specs.inputs import Environment, OptionalCommand, number_or_none, stripped
from specs.models import Project, Spec
from specs.storing import ImportResult, document_of, store
from specs.text import NAME_HINT, is_name, slug


def _branch(value: str) -> str:
    if value and (value[0] in "-/." or ".." in value or not all(c.isalnum() or c in "._-/+" for c in value)):
        raise refuse("is not the name of a branch")
    return value


def _known_executor(value: str) -> str:
    known = sorted(executors.known())
    if value not in known:
        hint = did_you_mean(value, known)
        raise refuse(f'"{value}" is not an executor of this installation{hint or ";"} known: {", ".join(known)}')
    return value


def _known_profile(value: str) -> str:
    if value and value not in (known := profiles.known()):
        hint = did_you_mean(value, known)
        raise refuse(f'"{value[:60]}" is not an agent profile{hint or ";"} known: {", ".join(known)}')
    return value


class _ProjectInput(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name
    directory: str
    default_branch: Annotated[str, Field(max_length=limits.TITLE_LENGTH), AfterValidator(_branch)] = "main"
    isolation: Literal["worktree", "copy", "in_place"] = "copy"
    setup_command: OptionalCommand = ""
    teardown_command: OptionalCommand = ""
    review_command: OptionalCommand = ""
    environment: Environment = {}
    max_workers: Annotated[
        Annotated[int, Field(ge=1, le=limits.PROJECT_WORKERS_MOST)] | None, BeforeValidator(number_or_none)
    ] = None
    default_executor: Annotated[Name, AfterValidator(_known_executor)] = "command"
    default_profile: Annotated[
        str, Field(max_length=limits.NAME_LENGTH), BeforeValidator(stripped), AfterValidator(_known_profile)
    ] = ""


def create_project(data: Mapping[str, Any]) -> Project:
    """Stores a new project. Raises SpecInvalid with a message per field."""
    return _save(Project(), data)


def update_project(project: Project, data: Mapping[str, Any]) -> Project:
    """Changes the fields that `data` names. Raises SpecInvalid with a message per field."""
    return _save(project, data)


def check_project(project: Project, data: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all fields after a change by `data`, ready to be stored. Raises SpecInvalid."""
    current = {name: getattr(project, name) for name in _ProjectInput.model_fields} if project.pk else {}
    values: dict[str, Any] = {**current, **data}
    errors: list[tuple[str, str]] = []
    try:
        values = _ProjectInput.model_validate(values).model_dump()
    except ValidationError as error:
        errors += errors_of(error, _ProjectInput)
    wrong = {field for field, _ in errors}
    # A directory that is not being changed may be missing for the moment.
    if "directory" in data and "directory" not in wrong:
        try:
            values["directory"] = checked_directory(values["directory"], stored=project.directory)
        except SpecInvalid as error:
            errors += error.errors
    elif project.pk and (problem := outside(project.directory)):
        errors.append(("directory", problem))
    if "name" not in wrong and _is_taken(project, values["name"]):
        errors.append(_taken(values["name"]))
    if errors:
        raise SpecInvalid(errors)
    return values


def save_text(project: Project, key: str, text: str) -> ImportResult:
    """Creates or updates the project's spec `key` from native YAML. Raises SpecInvalid."""
    found = native.parse(text, project.default_executor)  # first: its faults leave the key empty
    _refuse_bad_key(key)
    return store(project, key, found)


def save_data(project: Project, key: str, data: Mapping[str, Any]) -> ImportResult:
    """The same from data of the same shape as the YAML."""
    _refuse_bad_key(key)
    return store(project, key, native.from_data(data, project.default_executor))


def create_spec(project: Project, key: str, data: Mapping[str, Any]) -> Spec:
    """Stores a new spec; without a key it is named after its title. Raises SpecInvalid, also when the key is taken."""
    key = key or key_of(str(data.get("title", "")))
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).filter(pk=project.pk).first()  # as `store` does
        refuse_taken_key(project, key)
        return save_data(project, key, data).spec


def refuse_taken_key(project: Project, key: str) -> None:
    """Raises SpecInvalid when another spec of the project has the key."""
    if key and Spec.objects.filter(project=project, key=key).exists():
        raise SpecInvalid([("key", f"“{key}” is another spec of this project; open it to change it")])


def key_of(title: str) -> str:
    """A key for a spec that was given none, from its title; "" when nothing of it can stay."""
    return slug(title.strip()[: limits.NAME_LENGTH].lower())


def title_in(text: str) -> str:
    """The title in a text in YAML, whether or not the rest of it can be read; "" without one."""
    lines = (line for line in text.splitlines() if line.startswith("title:"))
    return next(lines, "").removeprefix("title:").strip()


def to_data(spec: Spec) -> dict[str, Any]:
    """The spec as data; `save_data` reads it back as the same spec."""
    return writer.data_of(document_of(spec))


def to_yaml(spec: Spec) -> str:
    """The spec as native YAML, for the editor; `save_text` reads it back as the same spec."""
    return writer.write(document_of(spec))


def _refuse_bad_key(key: str) -> None:
    if not is_name(key) or len(key) > limits.NAME_LENGTH:
        raise SpecInvalid([("key", f"must consist of 1 to {limits.NAME_LENGTH} {NAME_HINT}")])


def _save(project: Project, data: Mapping[str, Any]) -> Project:
    values = check_project(project, data)
    is_new = project.pk is None
    old = {} if is_new else {name: getattr(project, name) for name in values}
    for name, value in values.items():
        setattr(project, name, value)
    try:
        with transaction.atomic():
            project.save()
            before, after = changes(old, values)
            if after:
                record("project.create" if is_new else "project.change", project, before=before, after=after)
    except IntegrityError as error:  # somebody took the name a moment ago
        if _is_taken(project, project.name):
            raise SpecInvalid([_taken(project.name)]) from error
        raise
    return project


def _is_taken(project: Project, name: str) -> bool:
    return Project.objects.filter(name=name).exclude(pk=project.pk).exists()


def _taken(name: str) -> tuple[str, str]:
    return "name", f'"{name}" is the name of another project'
