"""How names and values are shown: on one line, without control characters, without secrets, in units."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

from dashboard.config.types import format_memory, parse_memory
from specs.durations import format_duration, parse_duration

MASK = "***"
LONGEST = 80
LONGEST_ADDRESS = 4096
_UNITS: Mapping[Any, Callable[[int], str]] = {parse_duration: format_duration, parse_memory: format_memory}
_SECRET_PART = re.compile(r"(?i)((?:^|[?&;\s])[^=&;\s]*(?:pass|secret|token|key)[^=&;\s]*=)[^&;\s]+")
_PASSWORD = re.compile(r"(://[^:/?#]*:).*@")
_BEFORE_THE_HOST = re.compile(r"^(?!\w+://).*@")


def shown(value: Any) -> str:
    """A value or name from outside as it stands in a sentence: escaped and shortened."""
    text = value if isinstance(value, str) else plain(value)
    return escaped(f"{text[:LONGEST]}…" if len(text) > LONGEST else text)


def escaped(text: str) -> str:
    """A text with nothing in it that a terminal would obey."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def plain(value: Any) -> str:
    """A value as a variable or a flag has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(plain, value))
    return str(value)


def toml(value: Any) -> str:
    """A value as it stands in a file."""
    if isinstance(value, bool | int):
        return plain(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(plain(value), ensure_ascii=False)


def without_passwords(text: str) -> str:
    """An address without its password and without secret parameters; another text as it is."""
    text = text[:LONGEST_ADDRESS]  # what follows would take long to look through
    return _SECRET_PART.sub(rf"\g<1>{MASK}", _PASSWORD.sub(rf"\g<1>{MASK}@", text))


def masked(field: FieldInfo, value: Any) -> Any:
    """A value without what nobody else may see. A field with repr=False may hold a password, however it is written."""
    if isinstance(value, SecretStr) or field.annotation is SecretStr:
        filled = value.get_secret_value() if isinstance(value, SecretStr) else value
        return MASK if filled else ""
    if not isinstance(value, str):
        return value
    return without_passwords(value if field.repr else _BEFORE_THE_HOST.sub(f"{MASK}@", value))


def in_units(field: FieldInfo, value: Any) -> Any:
    """A value as people write it: "30m", "4 GiB"; paths as text."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        for item in _metadata(field):
            if isinstance(item, BeforeValidator) and item.func in _UNITS:
                return _UNITS[item.func](value)
    return value


def _metadata(field: FieldInfo) -> Iterator[Any]:
    """What is noted about a field's type, also about one that may be missing."""
    yield from field.metadata
    waiting = list(get_args(field.annotation))
    while waiting:
        part = waiting.pop()
        yield from getattr(part, "__metadata__", ())
        waiting += get_args(part)
