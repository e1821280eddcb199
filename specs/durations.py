"""Durations as people write them: "30m", "10s", "1h30m". Knows no Django."""

import re
from typing import Any

from pydantic_core import PydanticCustomError

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)


def refuse(message: str) -> PydanticCustomError:
    """An error whose message is meant for people as it is."""
    # Through the context, because pydantic would take braces in the message itself as placeholders.
    return PydanticCustomError("refused", "{reason}", {"reason": message})


def parse_duration(value: Any) -> Any:
    """Seconds of "30m", "10s", "1h30m" or a number of seconds; other types pass through to be refused."""
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if not found or not any(found.groups()):
        raise refuse('must be a duration such as "30m", "10s" or "1h30m", or a number of seconds')
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def format_duration(seconds: int) -> str:
    """The shortest text that `parse_duration` reads back as `seconds`."""
    parts = ((seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
