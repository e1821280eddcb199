"""docs/security.md names tests that there are."""

import ast
import re
from pathlib import Path

from django.conf import settings

NAMED = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")


def test_every_test_that_the_document_names_exists() -> None:
    text = Path(settings.ROOT, "docs/security.md").read_text(encoding="utf-8")
    named = NAMED.findall(text)
    assert len(named) > 30
    for path, name in named:
        tree = ast.parse(Path(settings.ROOT, path).read_text(encoding="utf-8"))
        known = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert not name or name in known, f"{path}::{name}"


def test_the_table_names_every_file_of_this_room() -> None:
    text = Path(settings.ROOT, "docs/security.md").read_text(encoding="utf-8")
    files = {path.name for path in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).name}
    assert {name for name in files if f"tests/security/{name}" not in text} == set()
