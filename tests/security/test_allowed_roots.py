"""Where projects may be: asked when one is made or changed, and again when somebody works there."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from dashboard import config, demo
from dashboard.config import ConfigInvalid, loading
from specs import directories
from specs.errors import SpecInvalid
from specs.importing import import_file, import_path
from specs.models import Project
from tests.support import make
from tests.support.driving import driven, launcher, leftovers
from tests.support.repository import git, repository
from workers import ahead, landing
from workers.models import Landing, Worker
from workers.signals import workspaces_wanted
from workers.states import LandingKind, Reason, WorkerStatus

__all__ = ["launcher"]
pytestmark = pytest.mark.django_db
SPEC = "title: One\nchunks:\n  - {title: A, params: {run: 'true'}}\n"
Settings = Callable[..., None]


@pytest.fixture
def yard(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Changes settings: `yard(host="0.0.0.0")`."""

    def change(**values: Any) -> None:
        monkeypatch.setattr(settings, "SPECYARD", settings.SPECYARD.model_copy(update=values))

    return change


@pytest.fixture
def root(tmp_path: Path, yard: Settings) -> Path:
    """The only place where projects may be; it is named by a link, with a project in it and one beside it."""
    for name in ("srv/in/.specyard", "srv-beside/.specyard"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "one.yaml").write_text(SPEC)
    (tmp_path / "srv/out").symlink_to(tmp_path / "srv-beside")
    (tmp_path / "named").symlink_to("srv")
    yard(allowed_roots=[tmp_path / "named"])
    return tmp_path / "srv"


BAD = ["{}-beside", "{}/../srv-beside", "{}/in/../../srv-beside", "{}/out", "{}/..", "/etc", "/proc/self/cwd"]


@pytest.mark.parametrize("path", BAD)
def test_every_way_in_refuses_what_is_outside(root: Path, operator: Client, admin: Client, path: str) -> None:
    path = path.format(root)
    form = {"name": "one", "directory": path, "default_branch": "main", "isolation": "copy"}
    form |= {"default_executor": "command"}
    page = operator.post("/projects/new", form)
    assert page.status_code == 422
    assert "allowed_roots" in page.content.decode()
    told = operator.post("/api/projects", {"name": "one", "directory": path}, content_type="application/json")
    assert told.status_code == 422
    assert [error["field"] for error in told.json()["errors"]] == ["directory"]
    kept = make.project(root / "in", name="kept")
    told = operator.patch(f"/api/projects/{kept.pk}", {"directory": path}, content_type="application/json")
    assert [error["field"] for error in told.json()["errors"]] == ["directory"]
    in_admin = admin.post("/admin/specs/project/add/", {**form, "environment": "{}"})
    assert "allowed_roots" in in_admin.content.decode()
    imported = operator.post("/projects/import", {"path": path})
    assert imported.status_code == 422
    assert "allowed_roots" in imported.content.decode()
    assert Project.objects.get().directory == str(root / "in")


@pytest.mark.parametrize("path", ["in", "\0", "{}/in\0", "{}/in/../../../../../../../../nowhere"])
def test_what_is_no_path_is_refused_with_its_field(root: Path, path: str) -> None:
    with pytest.raises(SpecInvalid) as refused:
        directories.checked_directory(path.format(root))
    assert [field for field, _ in refused.value.errors] == ["directory"]


def test_what_is_inside_is_taken_by_whatever_name(root: Path) -> None:
    for name in (root, root / "in", root.parent / "named" / "in", root / "in/../in"):
        assert directories.checked_directory(name) == str(name.resolve())
    assert len(import_path(root / "in")) == 1


def test_nothing_is_said_of_what_is_outside(root: Path) -> None:
    """Neither whether it is there nor what is in it."""
    answers = set()
    for name in ("srv-beside", "srv-beside/.specyard/one.yaml", "nothing-there"):
        with pytest.raises(SpecInvalid) as refused:
            import_path(root.parent / name)
        answers.add(str(refused.value).replace(str(root.parent / name), "PATH"))
    assert answers == {
        f"path: PATH is outside of where projects may be (setting server.allowed_roots: {root.parent}/named)"
    }


def test_a_project_from_before_can_be_changed_once_it_is_inside(root: Path, operator: Client) -> None:
    project = make.project(root.parent / "srv-beside")
    change = {"setup_command": "make"}
    told = operator.patch(f"/api/projects/{project.pk}", change, content_type="application/json")
    assert told.status_code == 422
    with pytest.raises(SpecInvalid, match="allowed_roots"):
        import_file(root / "in/.specyard/one.yaml", project)
    change |= {"directory": str(root / "in")}
    assert operator.patch(f"/api/projects/{project.pk}", change, content_type="application/json").status_code == 200


# Where a worker starts.


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("launcher")
@pytest.mark.parametrize("isolation", ["copy", "in_place", "worktree"])
def test_a_directory_that_has_become_a_link_is_not_worked_in(root: Path, isolation: str) -> None:
    repository(root / "repo")
    project = make.project(root / "repo", isolation=isolation, setup_command="touch setup")
    good = driven(make.worker("true", project=project))
    assert good.status == WorkerStatus.COMPLETED, good.error
    (root / "repo").rename(root.parent / "moved")
    (root / "repo").symlink_to(root.parent / "moved")
    files = sorted(path for path in (root.parent / "moved").rglob("*") if ".git" not in path.parts)
    worker = driven(make.worker("touch chunk", project=project))
    assert (worker.status, worker.reason) == (WorkerStatus.FAILED, Reason.PREPARATION_FAILED)
    assert "allowed_roots" in worker.error
    assert leftovers(worker) == []
    assert sorted(path for path in (root.parent / "moved").rglob("*") if ".git" not in path.parts) == files


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("launcher")
def test_nothing_is_merged_into_what_is_outside(root: Path) -> None:
    source = repository(root / "repo")
    worker = driven(make.worker("echo two > a.txt", project=make.project(source, isolation="worktree")))
    (root / "repo").rename(root.parent / "moved")
    (root / "repo").symlink_to(root.parent / "moved")
    before = git(root.parent / "moved", "rev-parse", "main")
    wish = Landing.ask(Worker.objects.get(pk=worker.pk), LandingKind.MERGE, by="mira")
    landing.carry_out(wish.pk)
    assert "allowed_roots" in Landing.objects.get(pk=wish.pk).error
    assert git(root.parent / "moved", "rev-parse", "main") == before


def test_nothing_is_made_ahead_outside(root: Path) -> None:
    inside, beside = make.project(root / "in"), make.project(root.parent / "srv-beside")

    def wanted(sender: object, **_: object) -> list[Project]:
        return [beside, inside]

    workspaces_wanted.connect(wanted)
    try:
        found = {kind.repository for kind in ahead.wanted_on(make.node())}
    finally:
        workspaces_wanted.disconnect(wanted)
    assert str(root / "in") in found
    assert str(root.parent / "srv-beside") not in found


# Without roots.


def test_on_a_laptop_a_project_may_be_anywhere(tmp_path: Path, yard: Settings) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        yard(host=host)
        assert directories.checked_directory(tmp_path) == str(tmp_path)


@pytest.mark.parametrize("how", [{"host": "0.0.0.0"}, {"host": "::"}, {"host": "yard.example.org"}, {"https": True}])
def test_where_others_come_somebody_says_first_where_projects_may_be(
    tmp_path: Path, yard: Settings, how: dict[str, Any], operator: Client
) -> None:
    known = make.project(tmp_path / "known")
    for name in ("known", "new"):
        (tmp_path / name).mkdir()
    yard(**how)
    with pytest.raises(SpecInvalid, match=r"directory: cannot be chosen yet.*allowed_roots"):
        directories.checked_directory(tmp_path / "new")
    # What is there already goes on.
    change = {"directory": str(tmp_path / "known"), "setup_command": "make"}
    told = operator.patch(f"/api/projects/{known.pk}", change, content_type="application/json")
    assert told.status_code == 200, json.dumps(told.json())
    assert directories.outside(known.directory) == ""
    yard(allowed_roots=[tmp_path])
    assert directories.checked_directory(tmp_path / "new") == str(tmp_path / "new")


def test_the_demo_may_be_where_specyard_puts_it(root: Path, yard: Settings) -> None:
    made = demo.set_up(settings.SPECYARD.data / "demo")
    assert made.is_new
    assert directories.outside(str(settings.SPECYARD.data / "demo-2")) != ""


# The setting.


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets SPECYARD_ALLOWED_ROOTS."""

    def put(value: str) -> None:
        monkeypatch.setenv("SPECYARD_ALLOWED_ROOTS", value)
        loading.loaded.cache_clear()

    yield put
    loading.loaded.cache_clear()


def test_roots_are_absolute_directories(variable: Callable[[str], None]) -> None:
    variable("/srv/a, ~/b")
    assert config.load().allowed_roots == [Path("/srv/a"), Path("~/b")]
    variable("here")
    with pytest.raises(ConfigInvalid, match=r"SPECYARD_ALLOWED_ROOTS.*must be an absolute path"):
        config.load()
