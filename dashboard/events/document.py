"""What events look like, for people and for programs: made from `workers.events`.

    python manage.py event_document

writes docs/events.schema.json and the tables of docs/events.md, which the tests compare with the code.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dashboard.events.reading import Told
from workers.events import SHAPES, data_schema

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA, PAGE = DOCS / "events.schema.json", DOCS / "events.md"
BEGIN, END = "<!-- made from the code: python manage.py event_document -->", "<!-- as far as here -->"
SEQ = {"type": "integer", "minimum": 0, "description": "The event's number: they are numbered without gaps."}
AT = {"type": "string", "format": "date-time", "description": "When it was written, in UTC."}
WORKER = {"type": "integer", "description": "The id of the worker that it is about."}
THEN = datetime(2026, 3, 1, 18, 0, 2, 417000, tzinfo=UTC)  # of examples
NO_WORKER = {"type": "null", "description": "It is about no worker."}


def schema() -> dict[str, Any]:
    """The JSON Schema of one event."""
    found = {kind: _open(data_schema(kind)) for kind in SHAPES}
    shared = {name: one for data in found.values() for name, one in data.pop("$defs", {}).items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of Specyard",
        "description": "What a stream sends as `data`, and a webhook as its body.",
        "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in found],
        "$defs": {**{kind: _event(kind, data) for kind, data in found.items()}, **dict(sorted(shared.items()))},
    }


def _event(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    shape = SHAPES[kind]
    fields = {
        "seq": SEQ,
        "kind": {"const": kind},
        "worker_id": WORKER if shape.of_worker else NO_WORKER,
        "at": AT,
        "data": data,
    }
    words = {"title": kind, "description": shape.words}
    return {**words, "type": "object", "properties": fields, "required": list(fields), "examples": [example(kind)]}


def _open(data: dict[str, Any]) -> dict[str, Any]:
    """Programs pass over fields that come in time; pydantic's titles say nothing."""
    data.pop("additionalProperties", None)
    for part in (data, *data.get("properties", {}).values()):
        part.pop("title", None)
    return data


def example(kind: str) -> dict[str, Any]:
    """An event of that kind."""
    shape = SHAPES[kind]
    return Told(4711, str(kind), 12 if shape.of_worker else None, shape.example, THEN).body


def schema_text() -> str:
    """docs/events.schema.json as it stands in the repository."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def tables() -> str:
    """What docs/events.md says of each kind."""
    return "\n".join(_section(kind) for kind in SHAPES)


def _section(kind: str) -> str:
    data = data_schema(kind)
    required, found = data.get("required", []), data.get("properties", {})
    rows = [
        f"| `{name}` | {_type(one, data)} | {'always' if name in required else 'sometimes'} | {_words(one)} |"
        for name, one in found.items()
    ]
    table = ["| in `data` | type | there | meaning |", "|---|---|---|---|", *rows, ""] if rows else []
    sample = ["```json", json.dumps(example(kind)), "```", ""]
    return "\n".join([f"### {kind}", "", SHAPES[kind].words, "", *table, *sample])


def _words(one: dict[str, Any]) -> str:
    return str(one.get("description", ""))


def _type(one: dict[str, Any], whole: dict[str, Any]) -> str:
    """In words, with the values of an enumeration."""
    if "$ref" in one:
        return _type(whole["$defs"][one["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in one:
        return ", ".join(dict.fromkeys(", ".join(_type(part, whole) for part in one["anyOf"]).split(", ")))
    if "enum" in one or "const" in one:
        return ", ".join(f"`{value}`" if value else "empty" for value in one.get("enum", [one.get("const")]))
    return {"object": "object of strings"}.get(one["type"], str(one["type"]))


def page_text(before: str) -> str:
    """docs/events.md with its tables made anew."""
    head, _, rest = before.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{tables()}\n{END}{rest.partition(END)[2]}"


def write() -> None:
    """Write both files."""
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    PAGE.write_text(page_text(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
