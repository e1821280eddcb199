"""What forms send for the fields of projects and profiles, turned into values: numbers, variables, lines, times."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from specs import limits
from specs.durations import parse_duration, refuse
from specs.importers.types import Text


def number_or_none(value: Any) -> Any:
    """Forms send text, and an empty one for no limit."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    is_number = text.isascii() and text.removeprefix("-").isdigit() and len(text) < 10
    return int(text) if is_number else (text or None)


def seconds(value: Any) -> Any:
    """Seconds of "90", "10m" or a number; other types pass through to be refused."""
    return number_or_none(value) if isinstance(value, str) and value.strip().isdigit() else parse_duration(value)


def unix_lines(value: Any) -> Any:
    """Browsers end lines with CR LF, of which a shell would take the CR for a part of the command."""
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else value


def stripped(value: Any) -> Any:
    """Without the spaces around it."""
    return value.strip() if isinstance(value, str) else value


def lines(value: Any) -> Any:
    """Forms send one item a line, or nothing."""
    if value is None:
        return []
    return [line.strip() for line in value.splitlines() if line.strip()] if isinstance(value, str) else value


def variables(value: Any) -> Any:
    """Forms send lines of NAME=value, or nothing."""
    if value is None:
        return {}
    if not isinstance(value, str):
        return value
    given = [line for line in value.splitlines() if line.strip()]
    if wrong := next((line for line in given if "=" not in line), None):
        raise refuse(f'"{wrong[:60]}" is not of the form NAME=value')
    return {name.strip(): text for name, _, text in (line.partition("=") for line in given)}


def fit_for_a_process(environment: dict[str, str]) -> dict[str, str]:
    """The same, with every name one that a variable may have and that is not ours."""
    for name in environment:
        if not (name.isascii() and name.isidentifier()):
            raise refuse(f'"{name[:60]}" cannot be the name of an environment variable')
        if name.startswith(limits.RESERVED):
            raise refuse(f"names that begin with {limits.RESERVED} are Specyard's own ({name[:60]})")
    return environment


OptionalCommand = Annotated[Text, Field(max_length=limits.COMMAND_LENGTH), BeforeValidator(unix_lines)]
Environment = Annotated[
    dict[str, Text],
    Field(max_length=limits.ENVIRONMENT_VARIABLES),
    BeforeValidator(variables),
    AfterValidator(fit_for_a_process),
]
