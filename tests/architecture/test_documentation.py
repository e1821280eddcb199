"""What is said beside the code: when an enum's value occurs, what a public function gives."""

import ast
import importlib
import inspect
from collections.abc import Iterator

import pytest

from tests.architecture.source import Module, modules

PACKAGES = ("workers", "queue_app", "specs")
# A body of so many lines says what it does by itself, if its name does; a longer one needs a sentence.
SELF_EVIDENT_LINES = 3
ENUMS = {"TextChoices", "IntegerChoices", "StrEnum", "IntEnum", "Enum"}


@pytest.mark.parametrize("module", modules("workers", "queue_app"), ids=lambda module: module.name)
def test_every_value_of_an_enum_says_when_it_occurs(module: Module) -> None:
    assert [value for value, line in enum_values(module) if "  # " not in line] == []


def enum_values(module: Module) -> Iterator[tuple[str, str]]:
    """(Class.NAME, its line) of every value of every enum in the module."""
    lines = module.text.splitlines()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and ENUMS & {ast.unparse(base).split(".")[-1] for base in node.bases}:
            for value in node.body:
                if isinstance(value, ast.Assign):
                    yield f"{node.name}.{ast.unparse(value.targets[0])}", lines[value.lineno - 1]


def test_enums_are_found() -> None:
    found = {value for module in modules("workers", "queue_app") for value, _ in enum_values(module)}
    assert {"WorkerStatus.PAUSED", "Reason.CHUNK_FAILED", "Cause.SLOTS_FULL", "Outcome.PASSED"} <= found


@pytest.mark.parametrize("module", modules(*PACKAGES), ids=lambda module: module.name)
def test_public_things_have_a_docstring(module: Module) -> None:
    """The module, and every public function in it but short ones and those that a base class defines."""
    assert not module.tree.body or ast.get_docstring(module.tree), f"{module.path} has no docstring"
    assert [name for name, function in functions(module.tree) if needs_a_word(module, name, function)] == []


def functions(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Public functions and methods, with their names inside of the module."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield prefix + node.name, node  # type: ignore[misc]
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from functions(node, f"{prefix}{node.name}.")


def needs_a_word(module: Module, name: str, function: ast.FunctionDef) -> bool:
    if ast.get_docstring(function):
        return False
    lines = (function.end_lineno or 0) - function.body[0].lineno + 1
    return lines > SELF_EVIDENT_LINES and not overrides(module, name)


def overrides(module: Module, name: str) -> bool:
    """Whether a base class has a method of that name: its docstring counts."""
    owner: object = importlib.import_module(module.name)
    *classes, method = name.split(".")
    for part in classes:
        owner = getattr(owner, part)
    return inspect.isclass(owner) and any(method in vars(base) for base in owner.__mro__[1:])
