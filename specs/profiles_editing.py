"""What people do to agent profiles by hand; pages, API and admin call these verbs."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from specs import limits
from specs.acting import Target, changes, record
from specs.agents import AgentProfile
from specs.durations import refuse
from specs.errors import ProfileInUse, SpecInvalid
from specs.executors import AGENT
from specs.importers.messages import errors_of
from specs.importers.types import InsidePath, Item, Name, Text, Title
from specs.inputs import Environment, lines, number_or_none, seconds, stripped, unix_lines
from specs.models import Chunk, Project
from specs.secrets import change_secrets, check_change
from specs.signals import profile_in_use

_LOGIN_FILE = re.compile(r"[A-Z][A-Z0-9_]*/.*[^/]")


def _program(value: str) -> str:
    if not value:
        raise refuse('is required, for example "opencode"')
    if not value.isprintable():
        raise refuse("must be one line without control characters")
    if value.startswith("/"):
        return value
    if "/" in value:
        raise refuse("must be the name of a program on PATH, or its absolute path")
    program, *arguments = value.split()
    if arguments:
        raise refuse(f'must be a program alone; put "{" ".join(arguments)[:60]}" under arguments, one a line')
    return program


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise refuse("must be one line without control characters")
    return value


def _below_a_directory(value: str) -> str:
    if not _LOGIN_FILE.fullmatch(value):
        raise refuse("must be VARIABLE/path, for example XDG_DATA_HOME/opencode/auth.json")
    return value


def _span(shortest: int) -> Any:
    def check(value: int) -> int:
        if not shortest <= value <= limits.TIMEOUT_LONGEST:
            raise refuse(f'must be between {shortest}s and 24h, for example "10m"')
        return value

    return Annotated[int, BeforeValidator(seconds), AfterValidator(check)]


_Line = Annotated[Text, Field(max_length=limits.TITLE_LENGTH), BeforeValidator(stripped), AfterValidator(_one_line)]
_Argument = Annotated[Text, Field(max_length=limits.COMMAND_LENGTH)]
_LoginFile = Annotated[InsidePath, AfterValidator(_below_a_directory)]
_AnyWait: Any = _span(limits.SECONDS_SHORTEST)
_Wall: Any = _span(limits.TIMEOUT_SHORTEST)


class _ProfileInput(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name
    title: Title
    command: Annotated[Text, Field(max_length=limits.PATH_LENGTH), BeforeValidator(stripped), AfterValidator(_program)]
    arguments: Annotated[list[_Argument], Field(max_length=limits.ARGUMENTS), BeforeValidator(lines)] = []
    environment: Environment = {}
    model: _Line = ""
    mode: _Line = ""
    permission: Literal["ask", "listed", "allow"] = "ask"
    allowed_tools: Annotated[list[Item], Field(max_length=limits.ITEMS), BeforeValidator(lines)] = []
    max_sessions: Annotated[
        Annotated[int, Field(ge=1, le=limits.SESSIONS_MOST)] | None, BeforeValidator(number_or_none)
    ] = None
    handshake_seconds: _AnyWait = 60
    silence_seconds: _AnyWait = 600
    wall_seconds: _Wall = 1800
    login_files: Annotated[list[_LoginFile], Field(max_length=limits.ITEMS), BeforeValidator(lines)] = []
    install_hint: Annotated[
        Text, Field(max_length=limits.ITEM_LENGTH), BeforeValidator(stripped), AfterValidator(_one_line)
    ] = ""
    notes: Annotated[Text, BeforeValidator(unix_lines)] = ""


FIELDS = tuple(_ProfileInput.model_fields)


Secrets = Mapping[str, str | None]


@sensitive_variables("secrets")
def create_profile(data: Mapping[str, Any], secrets: Secrets | None = None, *, by: str = "") -> AgentProfile:
    """Stores a new profile. Raises SpecInvalid with a message per field."""
    return _save(AgentProfile(), data, secrets or {}, by)


@sensitive_variables("secrets")
def update_profile(
    profile: AgentProfile, data: Mapping[str, Any], secrets: Secrets | None = None, *, by: str = ""
) -> AgentProfile:
    """Changes the fields that `data` names, and the secrets that `secrets` names (None: removed).

    Raises SpecInvalid with a message per field; a message about secrets never holds a value.
    """
    return _save(profile, data, secrets or {}, by)


@sensitive_variables("secrets")
def check_profile(profile: AgentProfile, data: Mapping[str, Any], secrets: Secrets) -> dict[str, Any]:
    """The values of all fields after a change, ready to be stored; the secrets can be too. Raises SpecInvalid."""
    current = {name: getattr(profile, name) for name in FIELDS} if profile.pk else {}
    values: dict[str, Any] = {**current, **data}
    errors: list[tuple[str, str]] = []
    try:
        values = _ProfileInput.model_validate(values).model_dump()
    except ValidationError as error:
        errors += errors_of(error, _ProfileInput)
    wrong = {field for field, _ in errors}
    if "name" not in wrong and (problem := _name_problem(profile, values["name"])):
        errors.append(("name", problem))
    try:
        check_change(profile, secrets)
    except SpecInvalid as error:
        errors += error.errors
    if errors:
        raise SpecInvalid(errors)
    return values


def remove_profile(profile: AgentProfile) -> None:
    """Deletes it. Raises ProfileInUse, with the reason, while somebody needs it."""
    with transaction.atomic():
        locked = AgentProfile.objects.select_for_update().get(pk=profile.pk)
        if reason := who_needs(locked.name):
            raise ProfileInUse(reason)
        target = Target.of(locked)
        locked.delete()
        record("profile.delete", target, before={"command": locked.command})


def who_needs(name: str) -> str:
    """Who names this profile, as a sentence; empty when nobody does."""
    if project := Project.objects.filter(default_profile=name).order_by("name").first():
        return f"It is the default profile of the project {project}."
    named = Q(executor=AGENT, params__profile=name) | Q(review__agent__profile=name)
    if chunk := Chunk.objects.filter(named).select_related("spec").order_by("spec_id", "ordinal").first():
        return f'The spec "{chunk.spec}" needs it for its chunk {chunk.ordinal}.'
    answers = (answer for _, answer in profile_in_use.send(sender=AgentProfile, name=name))
    return " ".join(answer for answer in answers if answer)


def _name_problem(profile: AgentProfile, name: str) -> str:
    if _is_taken(profile, name):
        return _taken(name)
    was = profile.name
    if profile.pk and name != was and (reason := who_needs(was)):
        return f'must stay "{was}". {reason}'
    return ""


@sensitive_variables("secrets")
def _save(profile: AgentProfile, data: Mapping[str, Any], secrets: Secrets, by: str) -> AgentProfile:
    values = check_profile(profile, data, secrets)
    is_new = profile.pk is None
    old = {} if is_new else {name: getattr(profile, name) for name in values}
    for name, value in values.items():
        setattr(profile, name, value)
    try:
        with transaction.atomic():
            profile.save()
            before, after = changes(old, values)
            if after:
                record("profile.create" if is_new else "profile.change", profile, before=before, after=after)
            change_secrets(profile, secrets, by=by)
    except IntegrityError as error:  # somebody took the name a moment ago
        if _is_taken(profile, profile.name):
            raise SpecInvalid([("name", _taken(profile.name))]) from error
        raise
    return profile


def _is_taken(profile: AgentProfile, name: str) -> bool:
    return AgentProfile.objects.filter(name=name).exclude(pk=profile.pk).exists()


def _taken(name: str) -> str:
    return f'"{name}" is the name of another profile'
