"""Projects: list, form, import, delete."""

import pytest

from specs.models import Project, Spec
from tests.support import make

FORM = {
    "name": "acme",
    "directory": "/tmp",
    "isolation": "copy",
    "default_branch": "main",
    "default_executor": "command",
    "max_workers": "",
    "setup_command": "",
    "teardown_command": "",
    "review_command": "",
    "environment": "",
}


def test_the_list_names_directory_and_number_of_specs(viewer):
    spec = make.spec()
    page = viewer.get("/projects").content.decode()
    assert spec.project.name in page
    assert spec.project.directory in page


def test_a_project_is_added(operator):
    form = {**FORM, "max_workers": "2", "environment": "A=1\r\nB=two words"}
    assert operator.post("/projects/new", form)["Location"] == "/projects"
    project = Project.objects.get()
    assert (project.name, project.max_workers) == ("acme", 2)
    assert project.environment == {"A": "1", "B": "two words"}


@pytest.mark.parametrize(
    "field, value",
    [
        ("name", ""),
        ("name", "../../etc"),
        ("name", "a\x00"),
        ("directory", "relative"),
        ("directory", "/does/not/exist"),
        ("directory", ""),
        ("isolation", "docker"),
        ("max_workers", "0"),
        ("max_workers", "many"),
        ("default_executor", "agnt"),
        ("environment", "no equals sign"),
        ("environment", "SPECYARD_X=1"),
    ],
)
def test_a_bad_field_is_marked_and_nothing_is_stored(operator, field, value):
    response = operator.post("/projects/new", {**FORM, field: value})
    assert response.status_code == 422
    assert field in response.context["errors"]
    assert not Project.objects.exists()


def test_a_project_is_changed_and_shows_what_it_has(operator):
    project = make.project(environment={"A": "1"}, directory="/tmp")
    page = operator.get(f"/projects/{project.pk}").content.decode()
    assert "A=1" in page
    operator.post(f"/projects/{project.pk}", {**FORM, "name": "renamed"})
    project.refresh_from_db()
    assert project.name == "renamed"


def test_two_projects_never_share_a_name(operator):
    make.project(name="acme")
    assert operator.post("/projects/new", FORM).status_code == 422
    assert Project.objects.count() == 1


def test_a_project_is_deleted_with_its_specs(act):
    spec = make.spec()
    assert act("delete", f"/projects/{spec.project_id}")["HX-Redirect"] == "/projects"
    assert not Spec.objects.exists()


def test_a_project_in_use_is_kept(act, full_yard):
    assert act("delete", f"/projects/{full_yard.project_id}").status_code == 409
    assert Project.objects.exists()


def test_the_specs_of_a_folder_are_imported(operator, tmp_path):
    folder = tmp_path / ".specyard"
    folder.mkdir()
    (folder / "one.yaml").write_text("title: One\nchunks: [{title: a, params: {run: 'true'}}]\n")
    response = operator.post("/projects/import", {"path": f" {tmp_path} "}, follow=True)
    assert response.redirect_chain == [("/specs", 302)]
    assert "Read 1 spec of" in response.content.decode()
    assert Spec.objects.get().key == "one"


@pytest.mark.parametrize("path", ["", "relative", "/does/not/exist", "/dev/null", "/tmp/\x00", "~nobody-here/x"])
def test_a_folder_that_cannot_be_imported_is_explained(operator, path):
    response = operator.post("/projects/import", {"path": path})
    assert response.status_code == 422
    assert "Nothing was imported" in response.content.decode()
    assert not Spec.objects.exists()


def test_a_limit_below_one_is_called_too_low_and_not_a_word(operator):
    response = operator.post("/projects/new", {**FORM, "max_workers": "-3"})
    assert "1" in response.context["errors"]["max_workers"]
    assert "not the text" not in response.context["errors"]["max_workers"]
