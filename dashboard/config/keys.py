"""Every key that there is, found in the model: its place in the file, its variable, its words."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dashboard.config.model import SECTIONS, Config, executor_names
from dashboard.config.sections import At
from dashboard.config.words import in_units, masked

PREFIX = "SPECYARD_"
CONFIG_VARIABLE = "SPECYARD_CONFIG"
NEAR = 0.6  # how alike two names must be, 0 to 1, for one to be suggested instead of the other
VERY_NEAR = 0.87  # the same for variables, where others have names with our prefix too
LONGEST_NAME = 100


@dataclass(frozen=True, eq=False)
class Key:
    """One setting."""

    location: tuple[str, ...]  # in the model
    field: FieldInfo

    @property
    def at(self) -> At:
        own = next((item for item in self.field.metadata if isinstance(item, At)), None)
        return own or At(".".join(self.location))

    @property
    def name(self) -> str:
        """As it is called everywhere: section and key, with dots."""
        return self.at.key

    @property
    def section(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def short(self) -> str:
        """The key inside its section."""
        return self.name.rpartition(".")[2]

    @property
    def variable(self) -> str:
        return self.at.variable or variable_of(self.location)

    @property
    def is_path(self) -> bool:
        return self.field.annotation is Path

    def holds_secret(self, value: Any) -> bool:
        """Whether there is something in the value that nobody else may see."""
        return bool(value) and masked(self.field, value) != value

    @property
    def example(self) -> Any:
        """A value that is valid."""
        return self.field.examples[0] if self.field.examples else self.default

    @property
    def default(self) -> Any:
        """As people write it; None where there is none."""
        return in_units(self.field, self.field.get_default(call_default_factory=True))


def variable_of(path: Iterable[str]) -> str:
    """The variable of a place in the model, or of a key."""
    return PREFIX + "__".join(path).upper().replace("-", "_").replace(".", "_")


@cache
def all_keys() -> tuple[Key, ...]:
    """Every key, sections together, in the order of the model."""
    found = list(_below(Config, ()))
    order = list(dict.fromkeys(key.section for key in found))
    return tuple(sorted(found, key=lambda key: order.index(key.section)))


@cache
def by_name() -> Mapping[str, Key]:
    return {key.name: key for key in all_keys()}


@cache
def by_location() -> Mapping[tuple[str, ...], Key]:
    return {key.location: key for key in all_keys()}


def words_for(section: str) -> str:
    """What stands above a section of the file."""
    if section in SECTIONS:
        return SECTIONS[section]
    owner = next(key.location[:-1] for key in all_keys() if key.section == section)
    model = _model_at(owner)
    return " ".join((model.__doc__ or "").split())


def did_you_mean(name: str, section: str = "") -> str:
    """The key that somebody may have meant, empty when none is near: in that section, of that name elsewhere, any."""
    word = name[:LONGEST_NAME].lower()
    known = by_name()
    inside = [key.short for key in known.values() if key.section == section]
    inside += [other.rpartition(".")[2] for other in sections() if other.rpartition(".")[0] == section]
    if near := difflib.get_close_matches(word, inside, n=1, cutoff=NEAR):
        return f"{section}.{near[0]}" if section else near[0]
    for key in known.values():
        if word in (key.short, key.location[-1], key.variable.lower(), key.variable.lower().removeprefix("specyard_")):
            return key.name
    whole = f"{section}.{word}" if section else word
    places = {key.short: key.name for key in reversed(all_keys())} | {name: name for name in (*known, *sections())}
    near = difflib.get_close_matches(whole, places, n=1, cutoff=NEAR) or difflib.get_close_matches(word, places, n=1)
    return places[near[0]] if near else ""


def did_you_mean_variable(name: str) -> str:
    """The variable that somebody may have meant by one that is none of ours, empty when it looks like none."""
    spelled = {variable_of(key.location): key.variable for key in all_keys()}
    spelled |= {variable_of(key.name.split(".")): key.variable for key in all_keys()}
    spelled |= {key.variable: key.variable for key in all_keys()} | {CONFIG_VARIABLE: CONFIG_VARIABLE}
    alike = [each for each in spelled if ("__" in each) == ("__" in name)]
    near = difflib.get_close_matches(name[:LONGEST_NAME], alike, n=1, cutoff=NEAR if "__" in name else VERY_NEAR)
    return spelled[near[0]] if near else ""


@cache
def sections() -> tuple[str, ...]:
    """Every section, with those that hold only others."""
    found: dict[str, None] = {}
    for key in all_keys():
        parts = key.section.split(".") if key.section else []
        found.update((".".join(parts[: end + 1]), None) for end in range(len(parts)))
    return tuple(found)


def _below(model: type[BaseModel], place: tuple[str, ...]) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        inner = _values_of(field.annotation)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _below(field.annotation, (*place, name))
        elif inner:
            for each in executor_names():
                yield from _below(inner, (*place, name, each))
        else:
            yield Key((*place, name), field)


def _values_of(annotation: Any) -> type[BaseModel] | None:
    """The model of a table that is keyed by executors."""
    if get_origin(annotation) is not dict:
        return None
    values = get_args(annotation)[1]
    return values if isinstance(values, type) and issubclass(values, BaseModel) else None


def _model_at(place: tuple[str, ...]) -> type[BaseModel]:
    model: type[BaseModel] = Config
    for name in place:
        if name not in model.model_fields:  # an executor's name: its table's values have the model already
            continue
        annotation = model.model_fields[name].annotation
        inner = _values_of(annotation)
        if inner:
            model = inner
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return model
