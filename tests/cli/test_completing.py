"""What a shell is offered: from the database, quickly, and nothing where there is none."""

import subprocess

import pytest

from queue_app import dispatch
from tests.cli.support import Specyard
from tests.support import make
from tests.up.support import SPECYARD
from workers.models import Node


def offered(specyard: Specyard, *words: str, **changes: str) -> list[str]:
    """What bash is offered for the last of the words."""
    asked = {"COMP_WORDS": " ".join(["specyard", *words]), "COMP_CWORD": str(len(words))}
    done = specyard.good(**asked, _SPECYARD_COMPLETE="bash_complete", **changes)
    return [line.partition(",")[2] for line in done.out.splitlines() if line]


def test_what_there_is_is_offered(specyard: Specyard, node: Node) -> None:
    project = make.project(name="sh%op")
    spec = make.spec(project=project, key="cart")
    make.spec(project=make.project(name="shoop"), key="other")
    worker = make.worker()
    dispatch.pause_queue("mira")
    entry = dispatch.enqueue(make.spec(), by="mira")
    assert offered(specyard, "workers", "show", "") == [str(worker.pk)]
    assert offered(specyard, "workers", "pause", str(worker.pk), str(worker.pk)[:1]) == [str(worker.pk)]
    assert offered(specyard, "queue", "move", "") == [str(entry.pk)]
    assert offered(specyard, "queue", "add", "sh%") == [f"sh%op/{spec.key}"]
    assert offered(specyard, "workers", "list", "--project", "sho") == ["shoop"]
    assert offered(specyard, "nodes", "drain", "") == ["test-node"]


def test_commands_and_options_are_offered(specyard: Specyard) -> None:
    assert offered(specyard, "queue", "re") == ["remove", "resume"]
    assert "--watch" in offered(specyard, "workers", "list", "--w")
    assert offered(specyard, "workers", "list", "--status", "fa") == ["failed"]


@pytest.mark.parametrize("address", ["sqlite:////nowhere/at/all", "postgresql://127.0.0.1:9/none", "nonsense"])
def test_without_a_database_nothing_is_offered(specyard: Specyard, address: str) -> None:
    assert offered(specyard, "workers", "show", "", DATABASE_URL=address) == []


def test_for_a_server_nothing_is_offered(specyard: Specyard, node: Node) -> None:
    make.worker()
    assert offered(specyard, "workers", "show", "--server", "http://127.0.0.1:9", "") == []


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["--version"], ("django", "pydantic", "rich.console", "urllib.request")),
        (["workers", "list", "--help"], ("django", "pydantic", "rich.console", "urllib.request")),
        (["workers", "list", "--watch"], ("django", "pydantic")),
        (["workers", "list", "--json", "--server", "http://127.0.0.1:9"], ("django", "pydantic", "rich.console")),
        (["workers", "list"], ("rich.traceback", "rich.pretty", "psutil", "dashboard.urls", "daphne", "twisted")),
        (["queue", "list"], ("rich.traceback", "rich.pretty", "psutil", "dashboard.urls", "daphne", "twisted")),
        (["nodes", "list"], ("rich.traceback", "rich.pretty", "psutil", "dashboard.urls", "daphne", "twisted")),
        (["workers", "show", "1", "--json"], ("rich.console", "dashboard.urls", "daphne", "twisted")),
    ],
    ids=" ".join,
)
def test_a_command_imports_only_what_it_needs(specyard: Specyard, words: list[str], absent: tuple[str, ...]) -> None:
    command = [SPECYARD[0], "-X", "importtime", *SPECYARD[1:], *words]
    environment = {**specyard.environment, "SPECYARD_TOKEN": "specyard_x"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert imported.isdisjoint(absent)


def test_completing_needs_no_django(specyard: Specyard, node: Node) -> None:
    asked = {"COMP_WORDS": "specyard workers show ", "COMP_CWORD": "3", "_SPECYARD_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [SPECYARD[0], "-X", "importtime", *SPECYARD[1:]],
        env={**specyard.environment, **asked},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "sqlite3" in imported
    assert "django" not in imported
