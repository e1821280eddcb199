import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from specs import secrets
from specs.editing import save_text
from specs.models import AgentProfile, Project, Spec
from specs.secrets import values_of
from specs.signals import spec_in_use
from tests.specs.conftest import TWO_CHUNKS

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


@pytest.fixture
def spec(project) -> Spec:
    return save_text(project, "hello", TWO_CHUNKS).spec


def form(**values: str) -> dict[str, str]:
    return {"default_branch": "main", "isolation": "copy", "environment": "{}", "default_executor": "command", **values}


@pytest.mark.parametrize("model", ["project", "spec", "chunk"])
def test_every_model_has_its_pages(admin, spec, model):
    row = {"project": spec.project, "spec": spec, "chunk": spec.chunks.all()[0]}[model]
    assert admin.get(reverse(f"admin:specs_{model}_changelist") + "?q=hello").status_code == 200
    assert admin.get(reverse(f"admin:specs_{model}_change", args=[row.pk])).status_code == 200


def test_a_project_is_added_under_the_same_rules(admin, tmp_path):
    add = reverse("admin:specs_project_add")
    page = admin.post(add, form(name="../../etc", directory="/nowhere/at/all"))
    assert not Project.objects.exists()
    page = admin.post(add, form(name="yard", directory="/nowhere/at/all", environment='{"A": 1}'))
    assert not Project.objects.exists()
    assert page.context["adminform"].form.errors["directory"] == ["/nowhere/at/all does not exist"]
    assert "must be text" in page.context["adminform"].form.errors["environment"][0]
    assert admin.post(add, form(name="yard", directory=f"{tmp_path}/../{tmp_path.name}")).status_code == 302
    assert Project.objects.get().directory == str(tmp_path)


def test_a_project_is_changed(admin, project):
    change = reverse("admin:specs_project_change", args=[project.pk])
    assert admin.post(change, form(name="garden", directory=project.directory, max_workers="2")).status_code == 302
    assert Project.objects.get().max_workers == 2


def test_a_specs_priority_is_changed_and_its_chunks_are_not(admin, spec):
    change = reverse("admin:specs_spec_change", args=[spec.pk])
    data = {"title": "New", "description": "", "priority": "7", "on_failure": "stop", "max_attempts": "3"}
    inline = {f"chunks-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    assert admin.post(change, {**data, **inline, "key": "other"}).status_code == 302
    spec.refresh_from_db()
    assert (spec.priority, spec.title, spec.key, spec.chunks.count()) == (7, "New", "hello", 2)
    assert admin.post(change, {**data, **inline, "priority": "101"}).status_code == 200


def test_a_spec_in_use_is_not_deleted_and_the_page_says_why(admin, spec):
    def answer(**_: object) -> str:
        return "Worker 12 runs it."

    delete = reverse("admin:specs_spec_delete", args=[spec.pk])
    spec_in_use.connect(answer)
    try:
        assert "Worker 12 runs it." in admin.get(delete).content.decode()
        admin.post(delete, {"post": "yes"})
        assert Spec.objects.exists()
    finally:
        spec_in_use.disconnect(answer)
    assert admin.post(delete, {"post": "yes"}).status_code == 302
    assert not Spec.objects.exists()


PROFILE = {
    "name": "mine",
    "title": "Mine",
    "command": "my-agent",
    "permission": "ask",
    "arguments": '["acp"]',
    "handshake_seconds": "60",
    "silence_seconds": "600",
    "wall_seconds": "1800",
}


def test_a_profile_is_written_in_the_admin_and_its_secrets_are_never_shown(admin):
    add = reverse("admin:specs_agentprofile_add")
    bad = admin.post(add, {**PROFILE, "command": "my-agent acp", "new_secrets": "KEY=s3cret-one"})
    assert "must be a program alone" in bad.content.decode()
    assert b"s3cret" not in bad.content
    assert admin.post(add, {**PROFILE, "new_secrets": "KEY=s3cret-one\nOTHER=s3cret-two"}).status_code == 302
    profile = AgentProfile.objects.get(name="mine")
    assert (profile.arguments, profile.environment) == (["acp"], {})
    assert values_of(profile) == {"KEY": "s3cret-one", "OTHER": "s3cret-two"}
    change = reverse("admin:specs_agentprofile_change", args=[profile.pk])
    page = admin.get(change).content.decode()
    assert "KEY, OTHER" in page
    assert "s3cret" not in page
    assert admin.post(change, {**PROFILE, "new_secrets": "KEY=\nNEW=s3cret-new"}).status_code == 302
    assert values_of(profile) == {"OTHER": "s3cret-two", "NEW": "s3cret-new"}
    history = admin.get(reverse("admin:specs_agentprofile_history", args=[profile.pk]))
    assert b"s3cret" not in history.content
    assert b"s3cret" not in admin.get(reverse("admin:specs_agentprofile_changelist") + "?q=mine").content


def test_secrets_are_listed_by_name_and_cannot_be_edited(admin, project):
    secrets.set_secret(project, "TOKEN", "s3cret-one", by="mira")
    [secret] = project.secrets.all()
    listed = admin.get(reverse("admin:specs_secret_changelist") + "?q=tok").content.decode()
    shown = admin.get(reverse("admin:specs_secret_change", args=[secret.pk])).content.decode()
    for page in (listed, shown):
        assert "TOKEN" in page
        assert "mira" in page
        assert "s3cret" not in page
        assert secret.value not in page
    assert admin.get(reverse("admin:specs_secret_delete", args=[secret.pk])).status_code == 403


def test_a_project_in_the_admin_takes_secrets_and_shows_names(admin, project):
    change = reverse("admin:specs_project_change", args=[project.pk])
    values = form(name="garden", directory=project.directory, new_secrets="TOKEN=s3cret-one")
    assert admin.post(change, values).status_code == 302
    assert values_of(project) == {"TOKEN": "s3cret-one"}
    page = admin.get(change).content.decode()
    assert "TOKEN" in page
    assert "s3cret" not in page
    bad = admin.post(change, {**values, "new_secrets": "TOKEN=short"})
    assert "at least 6 characters" in bad.content.decode()
    assert values_of(project) == {"TOKEN": "s3cret-one"}


@pytest.mark.parametrize("typed", ["abc+s3cret/def==", "KEY=one-that-is-right\ns3cret value=x", "=s3cret-value"])
def test_a_value_without_its_name_is_not_sent_back(admin, project, typed):
    change = reverse("admin:specs_project_change", args=[project.pk])
    refused = admin.post(change, form(name="garden", directory=project.directory, new_secrets=typed))
    assert "each line must be NAME=value" in refused.content.decode()
    assert b"s3cret" not in refused.content
    assert values_of(project) == {}


def test_without_a_key_the_admin_says_so(admin, project, tmp_path, settings):
    settings.SPECYARD = settings.SPECYARD.model_copy(update={"secrets_key_file": str(tmp_path / "gone")})
    change = reverse("admin:specs_project_change", args=[project.pk])
    values = form(name="garden", directory=project.directory)
    refused = admin.post(change, {**values, "new_secrets": "TOKEN=s3cret-one"})
    assert "The key of the secrets is not there" in refused.content.decode()
    assert b"s3cret" not in refused.content
    assert admin.post(change, {**values, "new_secrets": "TOKEN="}).status_code == 302


def test_a_profile_in_use_is_not_deleted_in_the_admin(admin, project):
    profile = AgentProfile.objects.get(name="claude")
    delete = reverse("admin:specs_agentprofile_delete", args=[profile.pk])
    Project.objects.update(default_profile="claude")
    assert "default profile of the project garden" in admin.get(delete).content.decode()
    admin.post(delete, {"post": "yes"})
    assert AgentProfile.objects.filter(name="claude").exists()
    Project.objects.update(default_profile="")
    assert admin.post(delete, {"post": "yes"}).status_code == 302
    assert not AgentProfile.objects.filter(name="claude").exists()
