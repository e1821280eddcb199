"""The types of settings: what a value may look like, in a file as well as in a variable."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from specs import limits
from specs.durations import format_duration, parse_duration, refuse

DATABASES = ("sqlite", "postgres", "postgresql", "pgsql")
REDIS = ("redis", "rediss", "unix")
_SIZE = re.compile(r"(\d{1,12})\s*([kmgt]?)(i?)b?", re.ASCII | re.IGNORECASE)
_HOST_NAME = re.compile(r"\.?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]", re.ASCII | re.IGNORECASE)
_MEMORY_LEAST, _MEMORY_MOST = 64 * 2**20, 16 * 2**40
_PREFIXES = "kmgt"
_COUNT_MOST = 20


def parse_memory(value: Any) -> Any:
    """Bytes of "4 GiB", "512 MB" or a number of bytes; other types pass through to be refused."""
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if not found:
        raise refuse('must be a size such as "4 GiB" or "512 MiB"')
    number, prefix, binary = found.groups()
    power = _PREFIXES.index(prefix.lower()) + 1 if prefix else 0
    return int(number) * (1024 if binary else 1000) ** power


def format_memory(size: int) -> str:
    """The shortest text in binary units that `parse_memory` reads back as `size`."""
    for power in range(len(_PREFIXES), 0, -1):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power} {_PREFIXES[power - 1].upper()}iB"
    return f"{size} B"


def _within_a_machine(size: int) -> int:
    if not _MEMORY_LEAST <= size <= _MEMORY_MOST:
        raise refuse(f"must be between {format_memory(_MEMORY_LEAST)} and {format_memory(_MEMORY_MOST)}")
    return size


def _within_a_day(seconds: int) -> int:
    if not limits.TIMEOUT_SHORTEST <= seconds <= limits.TIMEOUT_LONGEST:
        shortest, longest = map(format_duration, (limits.TIMEOUT_SHORTEST, limits.TIMEOUT_LONGEST))
        raise refuse(f"must be between {shortest} and {longest}")
    return seconds


def _no_truth(value: Any) -> Any:
    """Pydantic would take true for 1."""
    if isinstance(value, bool):
        raise refuse("must be a number, not true or false")
    return value


def _split(value: Any) -> Any:
    """A variable holds a list with commas in between."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _filled(path: Path) -> Path:
    if path == Path():
        raise refuse("must name a directory")
    if os.path.expanduser(path).startswith("~"):
        raise refuse("must not begin with the home of a user that is not here")
    return path


def _absolute(path: Path) -> Path:
    if not os.path.isabs(os.path.expanduser(path)):
        raise refuse("must be an absolute path")
    return path


def _host_name(name: str) -> str:
    """A name or an address as `Host` has it; a dot in front stands for every name below.

    No `*`: a page whose name was pointed to this machine (DNS rebinding) would be answered like our own.
    """
    if not _HOST_NAME.fullmatch(name):
        raise refuse('must be a host name without a port, such as "yard.example.org"; no * is taken')
    return name


def _address(schemes: tuple[str, ...], wanted: str) -> Any:
    def check(url: str) -> str:
        if not url:
            return url
        try:
            parts = urlsplit(url)
            known = parts.scheme in schemes and (parts.port is None or parts.port > 0)
        except ValueError:
            known = False
        if not known:
            raise refuse(f"must be the address of {wanted}")
        if parts.scheme == "sqlite" and not url.startswith("sqlite:///"):
            raise refuse("must be sqlite:/// and an absolute path, such as sqlite:////srv/yard.sqlite3")
        return url

    return AfterValidator(check)


Whole = Annotated[int, BeforeValidator(_no_truth)]
Duration = Annotated[int, BeforeValidator(parse_duration), BeforeValidator(_no_truth), AfterValidator(_within_a_day)]
Memory = Annotated[int, BeforeValidator(parse_memory), BeforeValidator(_no_truth), AfterValidator(_within_a_machine)]
Directory = Annotated[Path, AfterValidator(_filled)]
Directories = Annotated[list[Annotated[Directory, AfterValidator(_absolute)]], BeforeValidator(_split)]
HostName = Annotated[str, AfterValidator(_host_name)]
HostNames = Annotated[list[HostName], BeforeValidator(_split)]
DatabaseUrl = Annotated[str, _address(DATABASES, "a PostgreSQL or an SQLite file")]
RedisUrl = Annotated[str, _address(REDIS, "a Redis")]
ModeName = Literal["direct", "sandbox", "docker"]
WebhookTargets = Literal["public", "private", "any"]
LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
Count = Annotated[Whole, Field(ge=1, le=_COUNT_MOST)]
Image = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")]
