"""The files that settings come from: which there are, and what stands in them."""

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import platformdirs

from dashboard.config.errors import ConfigInvalid
from dashboard.config.keys import CONFIG_VARIABLE, Key, by_name, did_you_mean, sections
from dashboard.config.words import shown

NAME = "specyard.toml"
MOST_BYTES = 256 * 1024
OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
TOO_DEEP = "it is nested too deeply"


def user_file() -> Path:
    """The file of this user."""
    return Path(platformdirs.user_config_dir("specyard")) / NAME


def project_file() -> Path:
    """The file of the working directory."""
    return Path(NAME).absolute()


def found() -> "list[File]":
    """The files that count, the strongest first. Raises ConfigInvalid when one cannot be used."""
    if named := os.environ.get(CONFIG_VARIABLE):
        return [File(Path(named).expanduser().absolute())]
    try:
        places = [project_file(), user_file()]
    except FileNotFoundError:  # the working directory is gone
        places = [user_file()]
    if places[0] == places[-1]:
        places = places[:1]
    files = [File(path) for path in places if os.path.lexists(path)]
    for file in files:
        file.refuse_strangers()
    return files


@dataclass
class File:
    """One file. Reading it may raise ConfigInvalid; what is wrong with single keys is in `problems`."""

    path: Path
    problems: list[str] = field(default_factory=list)
    _status: os.stat_result | None = None

    @cached_property
    def values(self) -> dict[Key, Any]:
        """What the file says, key by key. What it says of no key becomes a problem."""
        return dict(self._walk(self._data, ""))

    @cached_property
    def text(self) -> str:
        """What stands in the file."""
        content = self._read()
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise ConfigInvalid(
                f"{self.path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8. Save the file as UTF-8."
            ) from error

    @cached_property
    def _data(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text)
        except RecursionError as error:
            raise ConfigInvalid(f"{self.path}: {TOO_DEEP}.") from error
        except ValueError as error:  # TOMLDecodeError, and numbers that Python does not read
            raise ConfigInvalid(f"{self.path} is not valid TOML: {_in_plain_words(error)}") from error

    def _read(self) -> bytes:
        try:
            # Without waiting: a named pipe has no writer.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                self._status = os.fstat(descriptor)
                self._refuse_what_is_no_file(self._status.st_mode)
                content = os.read(descriptor, MOST_BYTES + 1)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ConfigInvalid(f"{self.path} cannot be read: {error.strerror}.") from error
        if len(content) > MOST_BYTES:
            size = f"{self._status.st_size / 1024:,.0f} KiB"
            raise ConfigInvalid(f"{self.path} has {size}; a file of settings has at most {MOST_BYTES // 1024} KiB.")
        return content

    def _refuse_what_is_no_file(self, mode: int) -> None:
        if stat.S_ISDIR(mode):
            raise ConfigInvalid(f"{self.path} is a directory; settings are read from a file.")
        if not stat.S_ISREG(mode) and str(self.path) != os.devnull:
            raise ConfigInvalid(f"{self.path} is no ordinary file.")

    def _walk(self, table: Mapping[str, Any], section: str) -> Iterator[tuple[Key, Any]]:
        for short, value in table.items():
            name = f"{section}.{short}" if section else short
            if name in sections():
                if isinstance(value, dict):
                    yield from self._walk(value, name)
                else:
                    self.problems.append(f"{self.place(name)}: {name} is a section, written [{name}], and no value.")
            elif key := by_name().get(name):
                yield key, self._path_from_here(key, value)
            else:
                meant = did_you_mean(short, section)
                hint = f" Did you mean {meant}?" if meant else " `specyard config show` lists all."
                self.problems.append(f"{self.place(name)}: there is no setting {shown(name)}.{hint}")

    def _path_from_here(self, key: Key, value: Any) -> Any:
        """A relative path in a file starts where the file is."""
        if not (key.is_path and isinstance(value, str) and value):
            return value
        return str(self.path.parent / Path(value).expanduser()) if "\0" not in value else value

    def place(self, name: str) -> str:
        """The file, with the line where that is certain."""
        line = line_of(self.text, name)
        return f"{self.path}, line {line}" if line else str(self.path)

    def refuse_strangers(self) -> None:
        """Somebody else's file in a directory that anybody may write to must not decide what we run on."""
        try:
            owner = self.path.stat().st_uid
        except OSError as error:
            raise ConfigInvalid(f"{self.path} cannot be read: {error.strerror}.") from error
        if owner not in (os.getuid(), 0):
            raise ConfigInvalid(
                f"{self.path} belongs to another user, so it is not read unasked."
                f" If you trust it: --config {self.path}, or {CONFIG_VARIABLE}={self.path}"
            )

    def warnings(self) -> Iterator[str]:
        """What is not wrong, but risky."""
        mode = self._status.st_mode if self._status and stat.S_ISREG(self._status.st_mode) else 0
        secrets = [key.name for key, value in self.values.items() if key.holds_secret(value)]
        if secrets and mode & OTHERS_READ:
            names = " and ".join(secrets)
            yield f"{self.path} holds {names}, and other users can read it. Close it to them: chmod 600 {self.path}"
        if mode & stat.S_IWOTH:
            yield f"Every user can write {self.path}, and so decide what you run. Close it: chmod o-w {self.path}"


def line_of(text: str, name: str) -> int:
    """The number of the line where a key or section stands; 0 when that is not certain.

    `tomllib` tells no lines. A line counts when it is a header or an assignment by itself, and is the only one.
    """
    lines, section = [], ""
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if line.startswith("["):
            section = _path_of(line) or section
            here = section
        else:
            part = _path_of(line.partition("=")[0] + "= 0") if "=" in line and not line.startswith("#") else ""
            here = f"{section}.{part}" if section and part else part
        if here == name or here.startswith(f"{name}."):
            lines.append((number, here == name))
    exact = [number for number, whole in lines if whole]
    candidates = exact or [number for number, _ in lines]
    return candidates[0] if len(candidates) == 1 else 0


def _path_of(line: str) -> str:
    """The dotted path of the only key or table in a line of TOML; empty when it is none by itself."""
    parts: list[str] = []
    try:
        table: Any = tomllib.loads(line)
    except (ValueError, RecursionError):
        return ""
    while isinstance(table, dict) and len(table) == 1:
        part, table = next(iter(table.items()))
        parts.append(part)
    return ".".join(parts)


def _in_plain_words(error: ValueError) -> str:
    text = str(error)
    if "integer string conversion" in text:
        return "it holds a number with thousands of digits."
    if text.startswith(("Cannot overwrite", "Cannot declare", "Duplicate inline")):
        return f"the same key or section stands there twice. {text}."
    return f"{text}."
