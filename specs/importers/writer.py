"""Writes a spec in the native format, as a person would: `native.parse(write(document)) == document`."""

from dataclasses import MISSING, asdict, fields
from typing import Any

import yaml

from specs.durations import format_duration
from specs.importers.document import ChunkDocument, SpecDocument, canonical
from specs.importers.safe_yaml import plain_value
from specs.usual import time_limit

SHAREABLE = ("executor", "params", "review", "timeout")


def write(document: SpecDocument) -> str:
    """The YAML text. What all chunks share stands under `defaults`; what has its default is left out."""
    data = _given(document)
    data.pop("chunks", None)
    chunks = [_chunk(chunk) for chunk in document.chunks]
    if shared := _take_shared(chunks):
        data["defaults"] = shared
    data["chunks"] = chunks
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


def data_of(document: SpecDocument) -> dict[str, Any]:
    """As data of the same shape, with every field that has a value."""
    data = asdict(document)
    for chunk in data["chunks"]:
        if "agent" in chunk["review"]:
            chunk["review"]["agent"] = _named_only(chunk["review"]["agent"])
        if not chunk["review"]:
            del chunk["review"]
    return data


def _named_only(agent: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in agent.items() if value}


def _given(item: SpecDocument | ChunkDocument) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    result = {}
    for field in fields(item):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        value = getattr(item, field.name)
        if value != default:
            result[field.name] = value
    return result


def _chunk(chunk: ChunkDocument) -> dict[str, Any]:
    """As it is written. The executor always stands there: its default belongs to the project."""
    data = {**_given(chunk), "executor": chunk.executor}
    data.pop("timeout", None)
    if chunk.timeout != time_limit(chunk.executor):
        data["timeout"] = format_duration(chunk.timeout)
    if "agent" in chunk.review:
        data["review"] = {**chunk.review, "agent": _named_only(chunk.review["agent"])}
    return {field.name: data[field.name] for field in fields(chunk) if field.name in data}


def _take_shared(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Moves what several chunks all say alike out of them."""
    shared: dict[str, Any] = {}
    for key in SHAREABLE if len(chunks) > 1 else ():
        if key == "params" and "executor" not in shared:
            continue  # default parameters hold for the default executor only
        if all(key in chunk for chunk in chunks) and len({canonical(chunk[key]) for chunk in chunks}) == 1:
            shared[key] = chunks[0][key]
            for chunk in chunks:
                del chunk[key]
    return shared


class _Dumper(yaml.SafeDumper):
    """Quotes what our reader would not take for text, and writes longer texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))


def _style(text: str) -> str | None:
    """A block for several lines, quotes where the text needs them, and escapes for what folding would change."""
    if "\n" in text:
        plain_lines = all(line.isprintable() and not line.endswith(" ") for line in text.split("\n"))
        return "|" if plain_lines and not text[0].isspace() else '"'
    if not text.isprintable():
        return '"'
    return "'" if _would_not_be_text(text) else None


def _would_not_be_text(text: str) -> bool:
    try:
        return not isinstance(plain_value(text), str)
    except ValueError:
        return True


_Dumper.add_representer(str, _represent_text)
