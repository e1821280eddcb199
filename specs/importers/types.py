"""The types of a spec's fields: bounds, shapes and durations, shared by all formats that have such fields."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from specs import limits
from specs.durations import format_duration as format_duration
from specs.durations import parse_duration, refuse
from specs.text import NAME_HINT, NAME_PATTERN, is_name, is_storable

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _within_a_day(seconds: int) -> int:
    if not limits.TIMEOUT_SHORTEST <= seconds <= limits.TIMEOUT_LONGEST:
        raise refuse("must be between 10s and 24h")
    return seconds


def _named(value: str) -> str:
    if not is_name(value):
        raise refuse(f"must consist of {NAME_HINT}")
    return value


def _storable(value: str) -> str:
    if not is_storable(value):
        raise refuse("holds a NUL character or half of a surrogate pair")
    return value


def _one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise refuse("must be one line without control characters")
    if not value.strip():
        raise refuse("must not be empty")
    return value.strip()


def _filled(value: str) -> str:
    if not value.strip():
        raise refuse("must not be empty")
    return value


def _inside(value: str) -> str:
    """Paths are relative to the workspace and never lead out of it."""
    if value.startswith(("/", "~")) or "\\" in value or ".." in value.split("/"):
        raise refuse('must be a path inside the project, with "/" between its parts and without ".."')
    return value


Name = Annotated[
    str,
    Field(max_length=limits.NAME_LENGTH, json_schema_extra={"pattern": f"^{NAME_PATTERN}$"}),
    AfterValidator(_named),
]
Title = Annotated[str, Field(max_length=limits.TITLE_LENGTH), AfterValidator(_storable), AfterValidator(_one_line)]
Text = Annotated[str, Field(max_length=limits.TEXT_LENGTH), AfterValidator(_storable)]
Command = Annotated[str, Field(max_length=limits.COMMAND_LENGTH), AfterValidator(_storable), AfterValidator(_filled)]
Item = Annotated[str, Field(max_length=limits.ITEM_LENGTH), AfterValidator(_storable), AfterValidator(_filled)]
InsidePath = Annotated[
    str,
    Field(max_length=limits.ITEM_LENGTH),
    AfterValidator(_storable),
    AfterValidator(_one_line),
    AfterValidator(_inside),
]
Items = Annotated[list[Item], Field(max_length=limits.ITEMS)]
InsidePaths = Annotated[list[InsidePath], Field(max_length=limits.ITEMS)]
Names = Annotated[list[Name], Field(max_length=limits.CHUNKS)]
Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    AfterValidator(_within_a_day),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": limits.TIMEOUT_SHORTEST, "maximum": limits.TIMEOUT_LONGEST},
                {"type": "string", "pattern": "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?$"},
            ],
            "examples": ["30m", "1h30m", 600],
        }
    ),
]
