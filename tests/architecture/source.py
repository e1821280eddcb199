"""The project's own source, as syntax trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("workers", "queue_app", "specs", "dashboard")


@dataclass(frozen=True)
class Module:
    """One module: its dotted name, its path below the repository, its text and that as a tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module


def modules(*packages: str) -> list[Module]:
    """Every module of the packages (all of ours by default), migrations left out."""
    found = []
    for package in packages or PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            path = file.relative_to(ROOT)
            if "migrations" not in path.parts and "node_modules" not in path.parts:
                name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
                text = file.read_text(encoding="utf-8")
                found.append(Module(name, path, text, ast.parse(text)))
    return found


def named(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Every node with the dotted name of the function or class that it stands in."""
    for node in ast.iter_child_nodes(tree):
        here = prefix
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            here = f"{prefix}.{node.name}".lstrip(".")
        yield here, node
        yield from named(node, here)


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted name of everything that is imported, wherever: `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            yield from (f"{dots}{node.module or ''}.{alias.name}" for alias in node.names)
