"""What holds, key by key, and where it comes from."""

from dataclasses import dataclass
from typing import Any

from dashboard.config.keys import Key, all_keys, by_location, did_you_mean, sections
from dashboard.config.loading import Loaded, Source
from dashboard.config.model import Config
from dashboard.config.words import escaped, in_units, masked, plain, shown

NONE = "–"  # noqa: RUF001


@dataclass(frozen=True)
class Row:
    """One setting as it is shown."""

    name: str
    value: Any
    text: str
    kind: str  # default, file, environment, flag
    source: str
    variable: str

    @property
    def is_default(self) -> bool:
        return self.kind == "default"

    def as_json(self) -> dict[str, Any]:
        """For programs: secrets are masked, sizes are bytes and durations seconds."""
        return {
            "key": self.name,
            "value": self.value,
            "kind": self.kind,
            "source": self.source,
            "variable": self.variable,
        }


def rows(loaded: Loaded, wanted: str = "") -> list[Row]:
    """All settings, or the one or the section that is wanted. Raises KeyError with a sentence when there is none."""
    found = [_row(loaded, key) for key in all_keys() if not wanted or _is_in(key, wanted)]
    if not found:
        section, _, short = wanted.rpartition(".")
        meant = did_you_mean(short, section if section in sections() else "")
        raise KeyError(f"There is no setting {shown(wanted)}." + (f" Did you mean {meant}?" if meant else ""))
    return found


def _is_in(key: Key, wanted: str) -> bool:
    return key.name == wanted or key.name.startswith(f"{wanted}.")


def _row(loaded: Loaded, key: Key) -> Row:
    value, source, origin = _effective(loaded, key)
    value = masked(key.field, value)
    text = escaped(plain(in_units(key.field, value))) if value not in (None, "", []) else key.at.default or NONE
    return Row(key.name, _for_programs(value), text, source.kind, origin, key.variable)


def _effective(loaded: Loaded, key: Key) -> tuple[Any, Source, str]:
    """What holds, where that comes from, and the same in words: what is not said is taken from further outside."""
    value = _at(loaded.config, key.location)
    outer = key.location
    if value is None:
        outer, value = _from_outside(loaded.config, key.location)
    source = loaded.source(by_location().get(outer, key))
    words = str(source) if outer == key.location else f"{'.'.join(outer)} ({source})"
    derived = {"storage.data_dir": loaded.config.data, "database.url": loaded.config.database}
    derived["redis.url"] = loaded.config.redis
    return derived.get(key.name, value), source, words


def _from_outside(config: Config, location: tuple[str, ...]) -> tuple[tuple[str, ...], Any]:
    """Where it is said what holds for an executor or a mode that says nothing itself."""
    if location[0] == "executors":
        outer, value = config.said(location[1], location[-1])
    else:
        outer, value = (location[0], location[-1]), getattr(config.execution, location[-1], None)
    return (location, None) if value is None else (outer, value)


def _at(config: Config, location: tuple[str, ...]) -> Any:
    value: Any = config
    for name in location:
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    return value


def _for_programs(value: Any) -> Any:
    return value if isinstance(value, bool | int | str | list) or value is None else str(value)
