"""The tables of docs/configuration.md: `python -P -m dashboard.config.document` writes them anew."""

import sys
from pathlib import Path

from dashboard.config.example import FURTHER_OUTSIDE
from dashboard.config.keys import Key, all_keys, sections, words_for
from dashboard.config.words import toml

BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
SHOWN = "command"  # the executor that stands for all of them
NAME = "NAME"


def tables() -> str:
    """Every setting, a table for each section. The settings of the executors stand there once."""
    parts = [_table(section) for section in ("", *sections())]
    return "\n\n".join(part for part in parts if part)


def renewed(page: str) -> str:
    """The page with the tables as they are now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


def _table(section: str) -> str:
    keys = [key for key in all_keys() if key.section == section]
    if not keys or (keys[0].location[0] == "executors" and SHOWN not in keys[0].location):
        return ""
    title = f"### `[{_for_all(section)}]`\n\n{words_for(section)}\n\n" if section else ""
    rows = ["| key | variable | default | for |", "|---|---|---|---|", *map(_row, keys)]
    return title + "\n".join(rows)


def _row(key: Key) -> str:
    default = key.at.default or (f"`{toml(key.default)}`" if key.default is not None else FURTHER_OUTSIDE)
    example = "" if key.at.default == "" and key.default is not None else f" For example `{toml(key.example)}`."
    variable = _for_all(key.variable, SHOWN.upper())
    return f"| `{key.short}` | `{variable}` | {default} | {key.field.description}{example} |"


def _for_all(text: str, name: str = SHOWN) -> str:
    """A section or variable of the executors with NAME in place of the one that stands for all."""
    return text.replace(name, NAME) if text.lower().startswith(("executors.", "specyard_executors")) else text


if __name__ == "__main__":
    page = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/configuration.md")
    page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
