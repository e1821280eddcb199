from pathlib import Path
from textwrap import dedent

import pytest

from specs import executors
from specs.models import Project

TWO_CHUNKS = dedent("""\
    title: Greetings
    description: Says hello twice.
    priority: 5
    chunks:
      - key: first
        title: First hello
        params: {run: "echo one"}
      - key: second
        title: Second hello
        params: {run: "echo two"}
        depends_on: [first]
    """)


REAL_SOURCE = executors._source  # as the application has set it


@pytest.fixture(autouse=True)
def only_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The executors of these tests, whatever is installed: `command`, which wants a text `run`."""

    def validate(params: dict[str, object]) -> list[str]:
        return [] if isinstance(params.get("run", ""), str) else ["run: must be text"]

    monkeypatch.setattr(executors, "_source", lambda: {"command": validate})


@pytest.fixture
def project(tmp_path: Path, db: None) -> Project:
    directory = tmp_path / "garden"
    (directory / ".specyard").mkdir(parents=True)
    return Project.objects.create(name="garden", directory=str(directory))


@pytest.fixture
def write(project: Project):
    """Writes a spec file into the project's `.specyard` folder."""

    def write(text: str = TWO_CHUNKS, name: str = "hello.yaml") -> Path:
        path = Path(project.directory) / ".specyard" / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
