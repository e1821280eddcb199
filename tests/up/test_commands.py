"""The commands of `specyard` that end by themselves."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.cli import COMMANDS
from tests.up.support import python, run

CHUNK = {"title": "One", "params": {"run": "true"}}
GOOD = {"title": "Good", "chunks": [CHUNK]}
COUNT = "from specs.models import Project, Spec; print(Project.objects.count(), Spec.objects.count())"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with one good spec."""
    folder = tmp_path / "shop"
    (folder / ".specyard").mkdir(parents=True)
    (folder / ".specyard" / "good.yaml").write_text(json.dumps(GOOD))
    return folder


def test_help_names_every_command_and_each_has_an_example(environment: dict[str, str]) -> None:
    listed = run(environment, "--help")
    assert listed.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name} " in listed.stdout
        shown = run(environment, name, "--help")
        assert shown.returncode == 0
        assert "Example" in shown.stdout, name


@pytest.mark.parametrize("words", [["nonsense"], ["up", "--nonsense"], ["import"]])
def test_wrong_usage_has_exit_code_2(environment: dict[str, str], words: list[str]) -> None:
    assert run(environment, *words).returncode == 2


def test_import_creates_then_leaves_alone_then_updates(environment: dict[str, str], project: Path) -> None:
    first = run(environment, "import", str(project))
    assert (first.returncode, first.stdout) == (0, "created    shop / Good  (1 chunk)\n")
    assert run(environment, "import", str(project)).stdout.startswith("unchanged")
    changed = {**GOOD, "chunks": [CHUNK, CHUNK]}
    (project / ".specyard" / "good.yaml").write_text(json.dumps(changed))
    assert run(environment, "import", str(project)).stdout == "updated    shop / Good  (2 chunks)\n"


def test_import_into_a_named_project(environment: dict[str, str], project: Path) -> None:
    assert run(environment, "import", str(project)).returncode == 0
    other = project / "other.yaml"
    other.write_text(json.dumps({**GOOD, "title": "Other"}))
    assert "shop / Other" in run(environment, "import", str(other), "--project", "shop").stdout
    missing = run(environment, "import", str(other), "--project", "mill")
    assert missing.returncode == 3
    assert 'There is no project "mill". Known: shop.' in missing.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title: [", "not valid YAML"),
        ("title: Empty\nchunks: []\n", "chunks"),
        ("title: Agnt\nchunks: [{title: One, executor: agnt}]\n", "chunks[0].executor"),
        ("\0", "bad.yaml"),
    ],
)
def test_one_bad_file_is_named_and_nothing_is_stored(
    environment: dict[str, str], project: Path, text: str, says: str
) -> None:
    (project / ".specyard" / "bad.yaml").write_text(text)
    refused = run(environment, "import", str(project))
    assert refused.returncode == 2
    assert "nothing was imported" in refused.stderr
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr
    assert python(environment, COUNT) == "0 0"


def test_importing_what_does_not_exist(environment: dict[str, str]) -> None:
    refused = run(environment, "import", "/no/such/place")
    assert refused.returncode == 2
    assert "/no/such/place does not exist" in refused.stderr


def test_a_folder_named_like_a_package_of_ours_is_not_imported_as_code(
    environment: dict[str, str], project: Path
) -> None:
    (project / "specs").mkdir()
    (project / "specs" / "__init__.py").write_text("raise SystemExit('code of the project was run')")
    command = [sys.executable, "-P", "-m", "dashboard.cli", "import", "."]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
