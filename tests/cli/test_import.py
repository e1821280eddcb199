"""`specyard import`: the same files on the local database and to a server."""

import json
from pathlib import Path

import pytest

from dashboard.models import AuditEntry, Scope
from specs.models import Project, Spec
from tests.cli.conftest import token_for
from tests.cli.support import Specyard
from tests.support import make

CHUNK = {"title": "One", "params": {"run": "true"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two specs and what is none."""
    folder = tmp_path / "shop"
    (folder / ".specyard").mkdir(parents=True)
    for name in ("cart", "the search"):
        write(folder, name, {"title": name.title(), "chunks": [CHUNK]})
    (folder / ".specyard" / "notes.txt").write_text("no spec")
    return folder


def write(folder: Path, name: str, spec: object) -> None:
    (folder / ".specyard" / f"{name}.yaml").write_text(json.dumps(spec))


@pytest.fixture(params=["local", "remote"])
def either(request: pytest.FixtureRequest) -> Specyard:
    """The commands on the database, or on a server."""
    found: Specyard = request.getfixturevalue({"local": "specyard", "remote": "remote"}[request.param])
    return found


@pytest.fixture
def shop(transactional_db: None) -> Project:
    return make.project(name="shop")


def test_a_folder_is_imported_and_then_updated(either: Specyard, shop: Project, folder: Path) -> None:
    done = either.good("import", str(folder), "--project", "shop")
    assert done.out == "created    shop / Cart  (1 chunk)\ncreated    shop / The Search  (1 chunk)\n"
    write(folder, "cart", {"title": "The cart", "chunks": [CHUNK, CHUNK]})
    document = either.good("import", str(folder), "--project", "shop", "--json").document
    assert document["done"] == 2
    first = document["results"][0]
    spec = Spec.objects.get(project=shop, key="cart")
    assert first == {
        "outcome": "updated", "spec": spec.pk, "project": "shop", "key": "cart", "title": "The cart", "chunks": 2,
        "detail": "",
    }  # fmt: skip
    assert sorted(Spec.objects.values_list("key", flat=True)) == ["cart", "the-search"]


def test_an_unknown_project_is_not_found(either: Specyard, shop: Project, folder: Path) -> None:
    done = either("import", str(folder), "--project", "mill")
    assert (done.code, done.err) == (3, '\nspecyard: There is no project "mill". Known: shop.\n')


@pytest.mark.parametrize("path", ["nowhere", "shop/.specyard/nothing.yaml", "empty", "/dev/null"])
def test_what_is_no_spec(either: Specyard, shop: Project, folder: Path, path: str) -> None:
    (folder.parent / "empty").mkdir()
    done = either("import", str(folder.parent / path), "--project", "shop")
    assert (done.code, "nothing was imported" in done.err) == (2, True)
    assert not Spec.objects.exists()


def test_what_a_server_refuses_is_told_and_the_others_are_there(remote: Specyard, shop: Project, folder: Path) -> None:
    write(folder, "cart", {"title": "Cart", "chunks": [{"title": "One", "executor": "agnt"}]})
    done = remote("import", str(folder), "--project", "shop")
    assert (done.code, done.out) == (2, "created    shop / The Search  (1 chunk)\n")
    assert done.err.startswith("cart.yaml: chunks.0.executor:")
    assert AuditEntry.objects.get(action="spec.create").source == "api"


def test_what_cannot_be_read_keeps_everything_from_being_sent(remote: Specyard, shop: Project, folder: Path) -> None:
    (folder / ".specyard" / "zoo.yaml").write_bytes(b"\xff\xfe")
    done = remote("import", str(folder), "--project", "shop")
    assert (done.code, "zoo.yaml: is not text in UTF-8" in done.err) == (2, True)
    assert not Spec.objects.exists()


def test_a_server_has_to_be_told_the_project(remote: Specyard, folder: Path) -> None:
    done = remote("import", str(folder))
    assert (done.code, "--project: which project of the server" in done.err) == (2, True)


def test_whoever_only_looks_imports_nothing(remote: Specyard, shop: Project, folder: Path) -> None:
    token = token_for("vera", Scope.READ, staff=False)
    done = remote("import", str(folder), "--project", "shop", SPECYARD_TOKEN=token)
    assert (done.code, done.out) == (5, "")
    assert not Spec.objects.exists()
