import os

import pytest

from specs.editing import create_project, save_text, to_yaml, update_project
from specs.errors import SpecInvalid
from specs.importing import import_file
from specs.models import Chunk, Project, Spec
from tests.specs.conftest import TWO_CHUNKS

pytestmark = pytest.mark.django_db


@pytest.fixture
def good(tmp_path) -> dict[str, object]:
    return {"name": "yard", "directory": str(tmp_path)}


def errors(data: dict[str, object]) -> dict[str, str]:
    with pytest.raises(SpecInvalid) as caught:
        create_project(data)
    assert not Project.objects.exists()
    return dict(caught.value.errors)


def test_a_name_and_a_directory_make_a_project(good):
    project = create_project(good)
    project.refresh_from_db()
    assert (project.name, project.isolation, project.max_workers) == ("yard", "copy", None)
    assert (project.environment, project.default_executor, project.setup_command) == ({}, "command", "")


def test_a_forms_texts_are_understood(good):
    project = create_project(
        {**good, "max_workers": " 3 ", "environment": "A=1\r\nB=x=y\r\n\r\n", "setup_command": "make\r\nmake test\r\n"}
    )
    assert project.max_workers == 3
    assert project.environment == {"A": "1", "B": "x=y"}
    assert project.setup_command == "make\nmake test"
    assert create_project({**good, "name": "other", "max_workers": "", "environment": ""}).max_workers is None


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "../../etc", "must consist of letters"),
        ("name", "", "must consist of letters"),
        ("name", ".hidden", "must consist of letters"),
        ("name", "a b", "must consist of letters"),
        ("name", "yard\n", "must consist of letters"),
        ("name", "x" * 101, "at most 100 characters"),
        ("name", 7, "must be text"),
        ("directory", "", "is required"),
        ("directory", "relative/path", "absolute"),
        ("directory", "/nowhere/at/all", "does not exist"),
        ("directory", "/etc/passwd", "is not a directory"),
        ("directory", "/", "no project"),
        ("directory", "/tmp\0", "NUL"),
        ("directory", "/tmp/\udcff", "UTF-8"),
        ("directory", "/" + "x" * 5000, "at most 4,096"),
        ("directory", ["/tmp"], "must be text, not a list"),
        ("isolation", "docker", "must be 'worktree', 'copy' or 'in_place'"),
        ("max_workers", 0, "at least 1"),
        ("max_workers", 1001, "at most 1000"),
        ("max_workers", True, "must be a whole number"),
        ("max_workers", "many", "must be a whole number"),
        ("max_workers", "9" * 5000, "must be a whole number"),
        ("max_workers", 1.5, "must be a whole number"),
        ("environment", {"1A": "x"}, "cannot be the name"),
        ("environment", {"A B": "x"}, "cannot be the name"),
        ("environment", {"SPECYARD_RUN": "x"}, "Specyard's own"),
        ("environment", "just words", "NAME=value"),
        ("environment", ["A=1"], "must be a mapping"),
        ("setup_command", "x" * 20_001, "at most 20,000"),
        ("review_command", "a\0b", "NUL"),
        ("default_branch", "--upload-pack=x", "branch"),
        ("default_branch", "a b", "branch"),
        ("default_executor", "agnt", "is not an executor of this installation"),
        ("colour", "red", "unknown key"),
    ],
)
def test_bad_values_are_refused_by_field(good, field, value, message):
    found = errors({**good, field: value})
    assert list(found) == [field]
    assert message in found[field]


def test_a_variable_that_is_not_text_is_named(good):
    found = errors({**good, "environment": {"PORT": 80, "B": "a\0"}})
    assert set(found) == {"environment.PORT", "environment.B"}


def test_all_mistakes_are_told_at_once(good):
    assert set(errors({"name": "a b", "directory": "x", "isolation": "no"})) == {"name", "directory", "isolation"}
    assert set(errors({})) == {"name", "directory"}


def test_an_unreadable_directory_is_refused(good, monkeypatch):
    # To root every directory is readable, so the system's answer is given here.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK | os.X_OK)
    assert "cannot be read by the user that runs Specyard" in errors(good)["directory"]


def test_links_and_dots_are_resolved(good, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert create_project({**good, "directory": f"{tmp_path}/link/../link"}).directory == str(tmp_path / "real")


def test_a_name_belongs_to_one_project(good):
    create_project(good)
    with pytest.raises(SpecInvalid) as caught:
        create_project(good)
    assert caught.value.errors == [("name", '"yard" is the name of another project')]
    assert Project.objects.count() == 1


def test_a_change_touches_only_what_it_names(good):
    project = create_project({**good, "setup_command": "make", "max_workers": 2})
    update_project(project, {"isolation": "in_place", "max_workers": None})
    project.refresh_from_db()
    assert (project.isolation, project.max_workers, project.setup_command) == ("in_place", None, "make")


def test_other_fields_can_be_changed_while_the_directory_is_gone(good):
    project = create_project(good)
    Project.objects.update(directory="/nowhere/at/all")
    project.refresh_from_db()
    update_project(project, {"max_workers": 1})
    with pytest.raises(SpecInvalid, match="does not exist"):
        update_project(project, {"directory": "/nowhere/at/all"})


def test_a_refused_change_changes_nothing(good):
    project = create_project(good)
    with pytest.raises(SpecInvalid):
        update_project(project, {"isolation": "in_place", "max_workers": -1})
    project.refresh_from_db()
    assert project.isolation == "copy"


def test_a_spec_is_written_in_the_browser(project):
    result = save_text(project, "typed", TWO_CHUNKS.replace("\n", "\r\n"))
    assert (result.created, result.spec.key, result.spec.source_path) == (True, "typed", "")
    assert save_text(project, "typed", TWO_CHUNKS).changed is False
    assert save_text(project, "typed", TWO_CHUNKS.replace("5", "6")).changed is True
    assert Spec.objects.get().priority == 6


def test_the_editor_shows_what_it_reads_back(project):
    spec = save_text(project, "typed", TWO_CHUNKS).spec
    assert save_text(project, "typed", to_yaml(spec)).changed is False


@pytest.mark.parametrize("key", ["../../etc", "", "a/b", ".", "..", "a\0", "x" * 101])
def test_hostile_keys_are_refused(project, key):
    with pytest.raises(SpecInvalid) as caught:
        save_text(project, key, TWO_CHUNKS)
    assert [field for field, _ in caught.value.errors] == ["key"]
    assert not Spec.objects.exists()


def test_a_bad_text_leaves_the_spec_as_it_was(project):
    save_text(project, "typed", TWO_CHUNKS)
    with pytest.raises(SpecInvalid):
        save_text(project, "typed", "title: T\nchunks: []")
    assert Spec.objects.get().chunks.count() == 2


def test_edits_survive_an_import_of_the_unchanged_file_only(project, write):
    import_file(write(), project)
    save_text(project, "hello", TWO_CHUNKS.replace("Greetings", "Edited"))
    assert import_file(write(), project).changed is False
    assert Spec.objects.get().title == "Edited"
    assert import_file(write(TWO_CHUNKS + "max_attempts: 1\n"), project).changed is True
    assert Spec.objects.get().title == "Greetings"


def test_a_spec_that_names_an_unknown_profile_is_not_stored(project):
    text = "title: T\nchunks: [{title: A, params: {run: x}, review: {agent: {profile: %s}}}]"
    spec = save_text(project, "hello", text % "claude").spec
    with pytest.raises(SpecInvalid, match=r"chunks\[0\]\.review\.agent\.profile: \"gpt\" is not an agent profile"):
        save_text(project, "hello", text % "gpt")
    assert Chunk.objects.get(spec=spec).review == {"agent": {"profile": "claude", "instructions": ""}}
    assert "profile: claude" in to_yaml(spec)
