"""The example file: every setting with its words and its default, as comments."""

import os
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from dashboard.config import writing
from dashboard.config.keys import Key, all_keys, sections, words_for
from dashboard.config.words import toml

WIDTH = 98
FURTHER_OUTSIDE = "as further outside"
INTRODUCTION = (
    "Settings of Specyard. Every line is a comment; take the # from what you want to change. "
    "Stronger than this file are variables, such as SPECYARD_PORT, and flags, such as --port. "
    "`specyard config show` tells what holds and where it comes from; docs/configuration.md has it all."
)


def text() -> str:
    """The whole file. With the # taken from every line that begins with it directly, it says what the defaults say."""
    parts = ["\n".join(_comment(INTRODUCTION))]
    parts += [_section(section) for section in ("", *sections()) if any(key.section == section for key in all_keys())]
    return "\n\n".join(parts) + "\n"


def write(path: Path, *, replace: bool) -> None:
    """Write the example file. Raises FileExistsError when there is one, unless `replace`, and OSError."""
    if os.path.lexists(path) and not replace:
        raise FileExistsError(path)
    writing.write(path, text(), replace=replace)


def _section(section: str) -> str:
    paragraphs = ["\n".join(_key(key)) for key in all_keys() if key.section == section]
    if section:
        paragraphs[:0] = ["\n".join([*_comment(words_for(section)), f"[{section}]"])]
    return "\n\n".join(paragraphs)


def _key(key: Key) -> Iterator[str]:
    yield from _comment(f"{key.field.description} Variable: {key.variable}.")
    if key.at.default or key.default is None:
        default = key.at.default or FURTHER_OUTSIDE
        yield from _comment(f"Default: {default}. For example: {key.short} = {toml(key.example)}")
    else:
        yield f"#{key.short} = {toml(key.default)}"


def _comment(words: str) -> list[str]:
    return [f"# {line}" for line in wrap(words, WIDTH, break_long_words=False, break_on_hyphens=False)]
