"""The files that settings come from: which there are, and what stands in them."""

import os
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
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
MOST_PROBLEMS = 20  # that are told one by one
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
        return [File(Path(os.path.expanduser(named)), is_named=True)]
    try:
        places = [project_file(), user_file()]
    except FileNotFoundError:  # the working directory is gone
        places = [user_file()]
    if places[0] == places[-1]:
        places = places[:1]
    return [File(path) for path in places if os.path.lexists(path)]


@dataclass
class File:
    """One file. Reading it may raise ConfigInvalid; what is wrong with single keys is in `problems`."""

    path: Path
    is_named: bool = False  # by whoever runs us, and so not found by chance
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
                self._refuse_strangers(self._status.st_uid)
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
                    self._add(name, lambda name: f"{name} is a section, written [{name}], and no value.")
            elif key := by_name().get(name):
                yield key, self._path_from_here(key, value)
            else:
                self._add(name, _unknown)

    def _add(self, name: str, sentence: Callable[[str], str]) -> None:
        """Note what is wrong with a key; of very many, only that it is."""
        told = len(self.problems) < MOST_PROBLEMS
        self.problems.append(f"{self.place(name)}: {sentence(name)}" if told else name)

    def _path_from_here(self, key: Key, value: Any) -> Any:
        """A relative path in a file starts where the file is."""
        if not (key.is_path and isinstance(value, str) and value):
            return value
        value = os.path.expanduser(value)
        return value if value.startswith("~") else str(self.path.parent / value)

    def place(self, name: str) -> str:
        """The file, with the line where that is certain: where there is only one that it can be."""
        lines = self._lines.get(name) or [
            line for inside, lines in self._lines.items() if inside.startswith(f"{name}.") for line in lines
        ]
        return f"{self.path}, line {lines[0]}" if len(lines) == 1 else str(self.path)

    @cached_property
    def _lines(self) -> dict[str, list[int]]:
        return lines_of(self.text)

    def _refuse_strangers(self, owner: int) -> None:
        """Somebody else's file in a directory that anybody may write to must not decide what we run on."""
        if not self.is_named and owner not in (os.getuid(), 0):
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


def lines_of(text: str) -> dict[str, list[int]]:
    """The numbers of the lines where keys and sections stand, by their names.

    `tomllib` tells no lines. A line is found when it is a header or an assignment by itself.
    """
    found: dict[str, list[int]] = {}
    section = ""
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if line.startswith("["):
            name = section = _path_of(line) or section
        elif "=" in line and not line.startswith("#"):
            name = ".".join(filter(None, (section, _path_of(line.partition("=")[0] + "= 0"))))
        else:
            continue
        found.setdefault(name, []).append(number)
    return found


def _unknown(name: str) -> str:
    section, _, short = name.rpartition(".")
    meant = did_you_mean(short, section)
    hint = f" Did you mean {meant}?" if meant else " `specyard config show` lists all."
    return f"there is no setting {shown(name)}.{hint}"


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
