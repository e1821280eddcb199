"""What is written about events is what is written into the outbox."""

import ast
import json
from collections.abc import Iterator

import pytest
from jsonschema_rs import Draft202012Validator

from dashboard.events import document
from tests.architecture.source import Module, modules
from workers.events import SHAPES, check, data_schema
from workers.models import Event
from workers.states import EventKind


def test_the_documents_are_up_to_date() -> None:
    assert document.SCHEMA.read_text(encoding="utf-8") == document.schema_text(), "python manage.py event_document"
    page = document.PAGE.read_text(encoding="utf-8")
    assert page == document.page_text(page), "python manage.py event_document"


def test_every_kind_is_described() -> None:
    assert set(SHAPES) == {*EventKind.values, "reset", "test"}


@pytest.mark.parametrize("kind", SHAPES)
def test_the_examples_fit(kind: str) -> None:
    check(kind, 12 if SHAPES[kind].of_worker else None, SHAPES[kind].example)
    event, schema = document.example(kind), Draft202012Validator(document.schema())
    assert schema.is_valid(event)
    assert schema.is_valid({**event, "data": {**event["data"], "to_come": 1}})
    for wrong in ({"seq": "x"}, {"kind": "another"}, {"worker_id": "x"}, {"data": None}):
        assert not schema.is_valid({**event, **wrong})


def emitted(module: Module) -> Iterator[tuple[str, int, set[str]]]:
    """(kind, line, names of what is told) of every emit() in the module; of one that chooses a kind, each of them."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "emit" and node.args:
            for part in ast.walk(node.args[0]):
                if isinstance(part, ast.Attribute) and ast.unparse(part.value) == "EventKind":
                    yield EventKind[part.attr], node.lineno, {word.arg for word in node.keywords if word.arg}


def test_nothing_is_emitted_that_is_not_described() -> None:
    """Also by what no test reaches."""
    found = [(str(m.path), *one) for m in modules() for one in emitted(m)]
    assert len(found) > 25
    for path, kind, line, names in found:
        assert names <= set(data_schema(kind).get("properties", {})), f"{path}:{line} tells more than {kind} may"


def test_what_is_described_is_emitted_somewhere() -> None:
    source = "".join(module.text for module in modules("workers", "queue_app", "dashboard/demo"))
    for kind in EventKind.values:
        for name in data_schema(kind).get("properties", {}):
            assert f"{name}=" in source or f'"{name}"' in source or name == "agentprofile", f"{kind} never tells {name}"


def test_an_event_that_does_not_fit_fails_its_test(events_fit_their_shapes: list[str]) -> None:
    """The plugin that watches all tests does."""
    wrong = (
        Event(kind=EventKind.WORKER_PAUSED, worker_id=1, data={"by": "mira", "why": "so"}),
        Event(kind=EventKind.WORKER_PAUSED, worker_id=None, data={"by": "mira"}),
        Event(kind=EventKind.NODE_ONLINE, data={}),
        Event(kind=EventKind.WORKER_ATTENTION, worker_id=1, data={"open": "1"}),
        Event(kind=EventKind.QUEUE_UPDATED, data={"action": "eaten"}),
    )
    assert len(events_fit_their_shapes) == len(wrong)
    events_fit_their_shapes.clear()
    Event(kind=EventKind.WORKER_PAUSED, worker_id=1, data=json.loads('{"by": ""}'))
    assert events_fit_their_shapes == []
