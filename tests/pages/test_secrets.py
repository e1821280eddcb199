"""The page of secrets: administrators write, everybody reads names, nobody reads values."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from specs.models import AgentProfile, Project, Secret
from specs.secrets import set_secret, values_of
from tests.support import make
from tests.support.repository import commit, git, repository
from workers.models import Worker
from workers.runner.masking import MASK

pytestmark = pytest.mark.django_db
VALUE = "s3cret-<b>that</b>-nobody-sees"
Owner = Project | AgentProfile


@pytest.fixture(params=["project", "profile"])
def owner(request: pytest.FixtureRequest) -> Owner:
    made: Owner = make.project(secrets={}) if request.param == "project" else make.profile(secrets={})
    return made


@pytest.fixture
def path(owner: Owner) -> str:
    return f"/{owner._meta.model_name.replace('agent', '')}s/{owner.pk}/secrets"


def test_an_administrator_sets_replaces_and_deletes(admin: Client, owner: Owner, path: str) -> None:
    assert admin.post(path, {"name": "TOKEN", "value": VALUE})["Location"] == path
    assert values_of(owner) == {"TOKEN": VALUE}
    admin.post(path, {"name": " TOKEN ", "value": "line one\r\nline two\r\n"})
    assert values_of(owner) == {"TOKEN": "line one\nline two"}
    page = admin.get(path).content.decode()
    assert "TOKEN" in page
    assert Secret.objects.get().changed_by in page
    assert "line one" not in page
    gone = admin.delete(f"{path}/TOKEN", headers={"HX-Request": "true"})
    assert gone["HX-Redirect"] == path
    assert values_of(owner) == {}
    assert admin.delete(f"{path}/TOKEN").status_code == 404


@pytest.mark.parametrize(
    ("form", "field"),
    [({"name": "A B", "value": VALUE}, "name"), ({"name": "A", "value": "12345"}, "value"), ({}, "name")],
)
def test_what_was_refused_is_not_sent_back(admin: Client, owner: Owner, path: str, form: Any, field: str) -> None:
    reply = admin.post(path, form)
    assert reply.status_code == 422
    assert field in reply.context["errors"]
    assert "s3cret" not in reply.content.decode()
    assert "12345" not in reply.content.decode()
    assert reply["Cache-Control"].startswith("max-age=0")
    assert values_of(owner) == {}


def test_others_see_names_and_change_nothing(operator: Client, viewer: Client, owner: Owner, path: str) -> None:
    set_secret(owner, "TOKEN", VALUE, by="mira")
    for client in (operator, viewer):
        page = client.get(path)
        assert page.status_code == 200
        assert "TOKEN" in page.content.decode()
        assert "mira" in page.content.decode()
        assert "<textarea" not in page.content.decode()
        assert "hx-delete" not in page.content.decode()
        assert client.post(path, {"name": "TOKEN", "value": "another-value"}).status_code == 403
        assert client.delete(f"{path}/TOKEN").status_code == 403
    assert values_of(owner) == {"TOKEN": VALUE}


def test_the_pages_of_their_owners_name_them(operator: Client, owner: Owner, path: str) -> None:
    set_secret(owner, "TOKEN", VALUE)
    page = operator.get(path.removesuffix("/secrets")).content.decode()
    assert "<code>TOKEN</code>" in page
    assert f'href="{path}"' in page
    assert "s3cret" not in page


def test_without_the_key_pages_work_and_nothing_is_stored(
    admin: Client, owner: Owner, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.post(path, {"name": "TOKEN", "value": VALUE})
    lost = settings.SPECYARD.model_copy(update={"secrets_key_file": str(tmp_path / "gone")})
    monkeypatch.setattr(settings, "SPECYARD", lost)
    for page in (path, path.removesuffix("/secrets"), "/profiles", "/projects", "/workers"):
        assert admin.get(page).status_code == 200
    refused = admin.post(path, {"name": "OTHER", "value": VALUE})
    assert refused.status_code == 422
    assert "is not there" in refused.context["errors"]["value"]
    assert "s3cret" not in refused.content.decode()
    assert Secret.objects.count() == 1
    assert admin.delete(f"{path}/TOKEN").status_code == 302


def test_an_error_page_for_developers_hides_what_was_typed(
    admin: Client, owner: Owner, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("specs.encryption._keys", broken)
    monkeypatch.setattr(settings, "DEBUG", True)
    admin.raise_request_exception = False
    reply = admin.post(path, {"name": "TOKEN", "value": VALUE})
    assert reply.status_code == 500
    assert "RuntimeError" in reply.content.decode()
    assert "s3cret" not in reply.content.decode()


def test_changes_that_were_committed_hide_values(viewer: Client, node: Any, tmp_path: Path) -> None:
    source = repository(tmp_path / "project")
    project = make.project(source, isolation="worktree", secrets={"TOKEN": "pr0ject-s3cret"})
    make.profile(secrets={"KEY": "pr0file-s3cret"})
    base = git(source, "rev-parse", "HEAD")
    new = commit(source, a="one\nkey = pr0ject-s3cret\nand pr0file-s3cret.\n")
    worker = make.worker("true", project=project)
    facts = {"branch": "main", "base_commit": base, "head_commit": new, "workspace": str(source)}
    Worker.objects.filter(pk=worker.pk).update(**facts)
    worker.chunks.update(commit=new, outcome="passed")
    page = viewer.get(f"/workers/{worker.pk}/changes").content.decode()
    assert f"key = {MASK}" in page
    whole = viewer.get(f"/workers/{worker.pk}/changes/patch?old={base}&new={new}&raw=1").getvalue().decode()
    told = viewer.get(f"/api/workers/{worker.pk}/diff").getvalue().decode()
    for text in (page, whole, told):
        assert "s3cret" not in text
        assert f"and {MASK}." in text
