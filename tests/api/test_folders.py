"""What lies on the machine of the server: the specs of a folder, and the demo."""

from pathlib import Path

import pytest
from django.test import Client

from specs.models import Project, Spec
from tests.api.conftest import Call, caller

pytestmark = pytest.mark.django_db
YAML = 'title: One\nchunks:\n  - title: First\n    params: {run: "true"}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".specyard").mkdir()
    (tmp_path / ".specyard" / "one.yaml").write_text(YAML)
    return tmp_path


def test_the_specs_of_a_folder_are_read(call: Call, folder: Path) -> None:
    outcomes = []
    for text in (YAML, YAML, YAML.replace("First", "Other")):
        (folder / ".specyard" / "one.yaml").write_text(text)
        reply = call("post", "/projects/import", {"path": f" {folder} "})
        assert reply.status_code == 200, reply.content
        outcomes += [one["outcome"] for one in reply.json()["specs"]]
    assert outcomes == ["created", "unchanged", "updated"]
    project, spec = Project.objects.get(), Spec.objects.get()
    assert reply.json()["project"] == {"id": project.pk, "name": folder.name}
    assert reply.json()["specs"][0] == {"spec": spec.pk, "key": "one", "title": "One", "outcome": "updated"}


def test_all_or_none_is_read(call: Call, folder: Path) -> None:
    (folder / ".specyard" / "two.yaml").write_text("title: 1")
    reply = call("post", "/projects/import", {"path": str(folder)})
    assert (reply.status_code, reply.json()["errors"][0]["field"][:8]) == (422, "two.yaml")
    assert not Spec.objects.exists()


@pytest.mark.parametrize("path", ["", "specs", "../..", "/nowhere/at/all", "~nobody/x"])
def test_a_path_that_is_none_is_named(call: Call, path: str) -> None:
    reply = call("post", "/projects/import", {"path": path})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "path")


def test_only_allowed_roots_are_looked_into(call: Call, folder: Path, settings: object, tmp_path: Path) -> None:
    allowed = settings.SPECYARD.model_copy(update={"allowed_roots": [tmp_path / "elsewhere"]})  # type: ignore[attr-defined]
    settings.SPECYARD = allowed  # type: ignore[attr-defined]
    reply = call("post", "/projects/import", {"path": str(folder)})
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "path")
    assert not Project.objects.exists()


def test_the_demo_is_set_up_once(operator: Client) -> None:
    first, again = (caller(operator)("post", "/demo").json() for _ in range(2))
    assert (first["is_new"], again["is_new"]) == (True, False)
    assert [one["id"] for one in first["specs"]] == [one["id"] for one in again["specs"]]
    assert Spec.objects.count() == len(first["specs"]) > 0


def test_what_the_demo_lacks_is_said(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.demo.install.NEEDED", ("no-such-program",))
    reply = call("post", "/demo")
    assert (reply.status_code, "no-such-program" in reply.json()["detail"]) == (409, True)
    assert not Spec.objects.exists()
