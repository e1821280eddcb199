"""Puts the configuration together, says where each value comes from, and refuses what is wrong in sentences."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dashboard.config import files
from dashboard.config.errors import ConfigInvalid
from dashboard.config.files import MOST_PROBLEMS, File
from dashboard.config.keys import CONFIG_VARIABLE, PREFIX, Key, all_keys, by_location, by_name, did_you_mean_variable
from dashboard.config.model import LAYERS, Config
from dashboard.config.sections import UNREAD
from dashboard.config.words import masked, plain, shown, toml

# Variables that were set by a flag of this very command, with the flag.
_flags: dict[str, str] = {}


@dataclass(frozen=True)
class Source:
    """Where a value comes from."""

    kind: Literal["default", "file", "environment", "flag"]
    detail: str = ""  # the file, the variable, the flag
    file: File | None = None

    def __str__(self) -> str:
        return self.detail or self.kind


@dataclass(frozen=True)
class Loaded:
    """The configuration with what there is to say about it."""

    config: Config
    sources: Mapping[Key, Source]
    files: Sequence[Path]
    warnings: Sequence[str]

    def source(self, key: Key) -> Source:
        return self.sources.get(key, Source("default"))

    def source_of(self, name: str) -> Source:
        """Where the value of a key comes from, by its name in the file."""
        return self.source(by_name()[name])


@cache
def loaded() -> Loaded:
    """The configuration of this process. Raises ConfigInvalid, which says what is wrong and where."""
    found = files.found()
    layers = [_variables(), *((file.values, Source("file", str(file.path), file)) for file in found)]
    values: dict[Key, Any] = {}
    sources: dict[Key, Source] = {}
    for layer, source in reversed(layers):
        values |= layer
        sources |= {key: _exactly(source, key) for key in layer}
    problems = [*_misspelled(), *(problem for file in found for problem in file.problems)]
    strange = [_sentence(key, sources[key], value, _UNPRINTABLE) for key, value in values.items() if _strange(value)]
    problems += strange
    config = None if strange else _valid([_nested(layer) for layer, _ in layers], values, sources, problems)
    if config is None or problems:
        raise ConfigInvalid(_lines(problems))
    warnings = [*(warning for file in found for warning in file.warnings()), *_without_effect(sources)]
    return Loaded(config, sources, [file.path for file in found], warnings)


def load() -> Config:
    """The configuration of this process. Raises ConfigInvalid, which says what is wrong and where."""
    return loaded().config


def set_flag(flag: str, variable: str, value: str) -> None:
    """Take a flag of the command line for the strongest source: as a variable, so that child processes have it too."""
    if not value or "\0" in value:
        raise ConfigInvalid(f"{flag} needs a value.")
    os.environ[variable] = value
    _flags[variable] = flag
    loaded.cache_clear()


def out_of_reach(config: Config) -> list[str]:
    """A sentence for every mode that is asked for and that the runner of this version does not have.

    It would be worse than no setting: work that somebody believes to be locked in.
    """
    asked = {key: mode for key, mode in config.modes() if find_spec(f"workers.runner.modes.{mode}") is None}
    return [f'{key} is "{mode}": this version cannot do that yet. Leave it at "direct".' for key, mode in asked.items()]


def _without_effect(sources: Mapping[Key, Source]) -> list[str]:
    """A limit that somebody believes in would be worse than none."""
    told = [f"{key.name} ({source})" for key, source in sources.items() if key.location[-1] in UNREAD]
    return [f"Nothing in this version heeds {', '.join(told)} yet."] if told else []


# Sources

_UNPRINTABLE = "must be one line without control characters"


def _variables() -> tuple[dict[Key, Any], Source]:
    """An empty variable counts as none."""
    found = {key: value for key in all_keys() if (value := os.environ.get(key.variable))}
    return found, Source("environment")


def _exactly(source: Source, key: Key) -> Source:
    if source.kind != "environment":
        return source
    flag = _flags.get(key.variable)
    return Source("flag", flag) if flag else Source("environment", key.variable)


def _misspelled() -> list[str]:
    """Variables that nobody reads and that look like one of ours. Others may have the prefix for their own ends."""
    known = {CONFIG_VARIABLE, *(key.variable for key in all_keys())}
    strange = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    return [
        f"The variable {shown(name)} sets nothing. Did you mean {meant}?"
        for name in strange
        if (meant := did_you_mean_variable(name))
    ]


def _nested(layer: Mapping[Key, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in layer.items():
        table = result
        for part in key.location[:-1]:
            table = table.setdefault(part, {})
        table[key.location[-1]] = value
    return result


# What is wrong


def _valid(
    layers: Sequence[Mapping[str, Any]], values: Mapping[Key, Any], sources: Mapping[Key, Source], problems: list[str]
) -> Config | None:
    """The configuration, or None with what is wrong added to `problems`."""
    token = LAYERS.set(tuple(layers))
    try:
        return Config()
    except ValidationError as error:
        told: set[Key] = set()
        for item in error.errors(include_url=False):
            key = _key_at(item["loc"])
            if key is None:
                problems.append(f"{item['msg'].removeprefix('Value error, ').capitalize()}")
            elif key not in told:
                told.add(key)
                source = sources.get(key, Source("default"))
                problems.append(_sentence(key, source, values.get(key, item["input"]), _fault(item)))
        return None
    finally:
        LAYERS.reset(token)


def _key_at(place: tuple[int | str, ...]) -> Key | None:
    """The key to which an error belongs, which may be about a part of its value."""
    for end in range(len(place), 0, -1):
        if key := by_location().get(tuple(map(str, place[:end]))):
            return key
    return None


def _sentence(key: Key, source: Source, value: Any, fault: str) -> str:
    text = shown(masked(key.field, value))
    text = f'"{text}"' if isinstance(value, str) else text
    match source.kind:
        case "file" if source.file:
            line, subject = f"{source.file.place(key.name)}: ", key.name
            example = f"[{key.section}] {key.short} = {toml(key.example)}" if key.section else toml(key.example)
        case "flag":
            line, subject, example = "", source.detail, f"{source.detail} {plain(key.example)}"
        case _:
            line, subject, example = "", f"{key.variable} ({key.name})", f"{key.variable}={plain(key.example)}"
    return f"{line}{subject} is {text}: it {fault}. For example: {example}"


def _fault(item: ErrorDetails) -> str:
    """What is wrong with a value, to follow "it"."""
    context = item.get("ctx", {})
    match item["type"]:
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size" | "finite_number":
            return "must be a whole number"
        case "bool_type" | "bool_parsing":
            return "must be true or false"
        case "string_type" | "path_type" | "string_unicode":
            return "must be a text, in quotes"
        case "list_type":
            return "must be a list of texts"
        case "literal_error":
            return f"must be {context['expected']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            return f"must have at most {context['max_length']} characters"
        case "string_pattern_mismatch":
            return "is not written as it must be"
        case _:
            return item["msg"][:1].lower() + item["msg"][1:]


def _strange(value: Any) -> bool:
    """Whether there is a character in it that no setting has: NUL, line ends, halves of surrogate pairs."""
    if isinstance(value, list):
        return any(map(_strange, value))
    return isinstance(value, str) and not value.isprintable()


def _lines(problems: Sequence[str]) -> str:
    more = len(problems) - MOST_PROBLEMS
    rest = [f"… and {more} more."] if more > 0 else []
    return "\n".join([*problems[:MOST_PROBLEMS], *rest])
