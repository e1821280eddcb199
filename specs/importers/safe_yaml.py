"""YAML for people who may be hostile: plain data only, bounded, read in one pass over the parser's events.

Follows the core schema of YAML 1.2 (`no` and `on` are text, as in JSON). Refuses what a spec never needs and
what hides or blows up data: anchors, aliases, merge keys, tags, several documents, duplicate keys.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from specs import limits
from specs.errors import SpecInvalid
from specs.text import is_storable

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LONGEST_NUMBER = 18  # digits: what every database holds as an integer


def load(text: str) -> Any:
    """The data in `text`. Raises SpecInvalid with the place, as a field path or as line and column."""
    if (position := text.find("\x00")) >= 0:
        raise SpecInvalid([("", f"line {text.count(chr(10), 0, position) + 1}: holds a NUL byte")])
    try:
        return _Reader(yaml.parse(text, Loader=Loader)).document()
    except yaml.YAMLError as error:
        raise SpecInvalid([("", _explain(error))]) from error
    except UnicodeEncodeError as error:
        raise SpecInvalid([("", "holds half of a surrogate pair")]) from error


def plain_value(text: str) -> Any:
    """What an unquoted scalar means: null, boolean, number or text. Raises ValueError for absurd numbers."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        if len(text.lstrip("+-0")) > _LONGEST_NUMBER:
            raise ValueError("the number is too large")
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text.replace(".inf", "inf").replace(".nan", "nan") if text[-1] in "fnFN" else text)
        if not math.isfinite(number):
            raise ValueError("must be a finite number")
        if abs(number) >= 10**_LONGEST_NUMBER:
            raise ValueError("the number is too large")
        # PostgreSQL's jsonb gives 1e3 back as 1000: one meaning, whatever the database.
        return int(number) if number.is_integer() else number
    return text


class _Reader:
    """Builds data from parser events, keeping the field path for messages."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.path: list[str | int] = []
        self.count = 0

    def document(self) -> Any:
        next(self.events)  # StreamStart
        if isinstance(next(self.events), yaml.StreamEndEvent):
            raise SpecInvalid([("", "the file is empty")])
        value = self.value(next(self.events))
        next(self.events)  # DocumentEnd
        if not isinstance(next(self.events), yaml.StreamEndEvent):
            raise SpecInvalid([("", "holds more than one YAML document; use one file per spec")])
        return value

    def value(self, event: Any) -> Any:
        self.count += 1
        if self.count > limits.NODES:
            raise self.refusal(f"the file holds more than {limits.NODES:,} values")
        if len(self.path) > limits.DEPTH:
            raise self.refusal(f"nested deeper than {limits.DEPTH} levels")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self.refusal("anchors and aliases (& and *) are not used in specs; write the value out")
        if event.tag is not None:
            raise self.refusal(f"tags ({shorten(event.tag)}) are not used in specs")
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping()
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence()
        return self.scalar(event)

    def mapping(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event)
            if key in result:
                raise self.refusal(f'line {event.start_mark.line + 1}: the key "{shorten(key)}" stands here twice')
            self.path.append(key)
            result[key] = self.value(next(self.events))
            self.path.pop()
        return result

    def key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None or event.tag is not None:
            raise self.refusal("keys must be plain text")
        if event.value == "<<" and event.implicit[0]:
            raise self.refusal("merge keys (<<) are not used in specs; use `defaults`")
        return self.text(event)

    def sequence(self) -> list[Any]:
        result: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            self.path.append(len(result))
            result.append(self.value(event))
            self.path.pop()
        return result

    def scalar(self, event: Any) -> Any:
        if not event.implicit[0]:
            return self.text(event)
        try:
            value = plain_value(event.value)
        except ValueError as error:
            raise self.refusal(str(error)) from error
        return self.text(event) if isinstance(value, str) else value

    def text(self, event: Any) -> str:
        if not is_storable(event.value):
            raise self.refusal("holds a NUL character or half of a surrogate pair")
        return str(event.value)

    def refusal(self, message: str) -> SpecInvalid:
        return SpecInvalid([(field_path(self.path), message)])


def field_path(path: list[str | int] | tuple[str | int, ...]) -> str:
    """("chunks", 2, "executor") as people write it: `chunks[2].executor`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{shorten(part)}" for part in path)
    return "".join(parts).removeprefix(".")


def shorten(text: str) -> str:
    """`text` from a stranger, made fit for a message."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:61])
    return shown[:60] + "…" if len(shown) > 60 else shown


def _explain(error: yaml.YAMLError) -> str:
    """The parser's complaint in one line, with line and column where it knows them."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"not valid YAML: {place}{problem}"
