import io
import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command

from specs import executors
from specs.errors import SpecInvalid
from specs.importers import native
from tests.specs.conftest import REAL_SOURCE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "spec-format.md").read_text(encoding="utf-8")


def examples() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def test_the_examples_of_the_page_are_valid(db, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(executors, "_source", lambda: dict.fromkeys(("command", "agent"), lambda params: []))
    full, shortest, agents = (native.parse(text) for text in examples())
    assert [chunk.key for chunk in full.chunks] == ["store", "bench"]
    assert full.chunks[1].timeout == 5400
    assert shortest.chunks[0].params == {"run": "echo hello"}
    assert agents.chunks[0].review == {
        "command": "pytest -q",
        "agent": {"profile": "", "instructions": "Look for races between processes."},
    }


def test_the_page_names_every_key():
    models = [
        native.NativeSpec,
        native.NativeChunk,
        native.NativeDefaults,
        native.NativeReview,
        native.NativeAgentReview,
    ]
    missing = [name for model in models for name in model.model_fields if f"`{name}`" not in PAGE]
    assert missing == []


def test_the_page_names_every_executor_that_specyard_has():
    assert [name for name in REAL_SOURCE() if f"| `{name}` |" not in PAGE] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("key: bench", "key: bench\n    executor: agnt"),
        ("[store]", "[stor]"),
        ("title: Rate limits", "titel: x\ntitle: Rate limits"),
    ],
)
def test_the_messages_of_the_page_are_the_messages(old: str, new: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(executors, "_source", REAL_SOURCE)
    with pytest.raises(SpecInvalid) as caught:
        native.parse(examples()[0].replace(old, new))
    shown = re.findall(r"^limits\.yaml: (.*?)(?: …)?$", PAGE, flags=re.MULTILINE)
    assert any(str(caught.value).startswith(message) for message in shown)


def test_the_schema_in_the_documentation_is_the_models():
    out = io.StringIO()
    call_command("spec_schema", stdout=out)
    assert out.getvalue() == (ROOT / "docs" / "spec.schema.json").read_text(encoding="utf-8"), (
        "run: python manage.py spec_schema > docs/spec.schema.json"
    )
    assert json.loads(out.getvalue())["additionalProperties"] is False


def test_specyards_own_spec_is_valid(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(executors, "_source", executors.installed)
    document = native.parse((ROOT / ".specyard" / "check.yaml").read_text(encoding="utf-8"))
    assert [chunk.key for chunk in document.chunks] == ["lint", "types", "tests"]
