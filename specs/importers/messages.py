"""Turns pydantic's findings into sentences for the people who write specs."""

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from specs.importers.safe_yaml import field_path, shorten

MOST_ERRORS = 50
_NOUNS = {
    "string_type": "text",
    "string_unicode": "text without halves of surrogate pairs",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def errors_of(error: ValidationError, model: type[BaseModel]) -> list[tuple[str, str]]:
    """(field path, message) for each thing that is wrong, at most 50 of them."""
    found = error.errors(include_url=False)
    shown = [(field_path(item["loc"]), _message(item, model)) for item in found[:MOST_ERRORS]]
    if len(found) > MOST_ERRORS:
        shown.append(("", f"… and {len(found) - MOST_ERRORS} more"))
    return shown


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`, did you mean "title"?` when something is near, else an empty text."""
    near = difflib.get_close_matches(word[:100], list(choices), n=1, cutoff=0.6)
    return f', did you mean "{near[0]}"?' if near else ""


def _message(item: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context, value = item["type"], item.get("ctx", {}), item["input"]
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        fields = _fields_at(model, item["loc"][:-1])
        return f"unknown key{did_you_mean(str(item['loc'][-1]), fields) or '.'} Known: {', '.join(fields)}"
    if kind in _NOUNS:
        hint = "; put it in quotes" if kind == "string_type" and isinstance(value, bool | int | float) else ""
        return f"must be {_NOUNS[kind]}, not {_describe(value)}{hint}"
    if kind == "literal_error":
        return f"must be {context['expected']}, not {_describe(value)}"
    if kind in ("string_too_long", "too_long"):
        unit = "characters" if kind == "string_too_long" else "entries"
        return f"must have at most {context['max_length']:,} {unit}"
    if kind == "too_short":
        return "needs at least one entry"
    if kind in ("less_than_equal", "greater_than_equal"):
        bound = f"at most {context['le']}" if "le" in context else f"at least {context['ge']}"
        return f"must be {bound}, not {_describe(value)}"
    return item["msg"]


def _fields_at(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The keys that are known at `place` inside `model`."""
    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model somewhere inside an annotation such as list[Chunk] or Review | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _describe(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{shorten(value)}"'
    return "a list" if isinstance(value, list) else "a mapping"
