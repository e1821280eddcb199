"""Secrets at rest: what may be one, who sees what, and what becomes of them when keys change or go."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from dashboard.config import encryption as keys
from specs import encryption, secrets
from specs.errors import KeyUnusable, SecretUnreadable, SpecInvalid
from specs.models import AgentProfile, Project, Secret
from tests.support import make

VALUE = "s3cret-that-nobody-sees"


@pytest.fixture
def project(db: Any) -> Project:
    return make.project()


@pytest.fixture
def own_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of the keys, for this test alone; it is not there yet."""
    path = tmp_path / "secrets.key"
    config = settings.SPECYARD.model_copy(update={"data_dir": tmp_path})
    monkeypatch.setattr(settings, "SPECYARD", config)
    return path


def lines(path: Path) -> list[str]:
    return path.read_text().split()


def test_a_value_comes_back_for_processes_and_is_nowhere_in_the_database(project: Project) -> None:
    secrets.set_secret(project, "TOKEN", VALUE, by="mira")
    row = Secret.objects.get()
    assert secrets.values_of(project) == {"TOKEN": VALUE}
    assert VALUE not in str(row.__dict__)
    assert (row.name, row.changed_by) == ("TOKEN", "mira")
    assert VALUE not in repr(row) + str(row)


def test_a_value_is_replaced_and_deleted(project: Project) -> None:
    secrets.set_secret(project, "TOKEN", VALUE, by="mira")
    before = Secret.objects.get()
    secrets.set_secret(project, "TOKEN", VALUE + "2", by="tove")
    after = Secret.objects.get()
    assert secrets.values_of(project) == {"TOKEN": VALUE + "2"}
    assert (after.pk, after.changed_by) == (before.pk, "tove")
    assert after.changed_at > before.changed_at
    assert secrets.remove_secret(project, "TOKEN")
    assert not secrets.remove_secret(project, "TOKEN")
    assert secrets.values_of(project) == {}


def test_projects_and_profiles_have_their_own_and_take_them_along(project: Project) -> None:
    profile = make.profile(secrets={})
    for owner in (project, profile, make.project()):
        secrets.set_secret(owner, "TOKEN", f"value-of-{owner}")
    assert secrets.values_of(profile) == {"TOKEN": f"value-of-{profile}"}
    profile.delete()
    project.delete()
    assert Secret.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "value", "field", "part"),
    [
        ("", VALUE, "name", "is required"),
        ("A B", VALUE, "name", "cannot be the name"),
        ("1A", VALUE, "name", "cannot be the name"),
        ("A=B", VALUE, "name", "cannot be the name"),
        ("ÄB", VALUE, "name", "cannot be the name"),
        ("A\nB", VALUE, "name", "cannot be the name"),
        ("SPECYARD_X", VALUE, "name", "Specyard's own"),
        ("A" * 101, VALUE, "name", "at most 100"),
        ("A", "", "value", "has no value"),
        ("A", " \n ", "value", "has no value"),
        ("A", "12345", "value", "at least 6"),
        ("A", "123\n45678\n", "value", "at least 6"),
        ("A", VALUE + "\0", "value", "NUL"),
        ("A", VALUE + "\ud800", "value", "half of a character"),
        ("A", "x" * 20_001, "value", "at most 20,000"),
    ],
)
def test_what_cannot_be_one_is_refused_without_saying_it(
    project: Project, name: str, value: str, field: str, part: str
) -> None:
    with pytest.raises(SpecInvalid) as refused:
        secrets.set_secret(project, name, value)
    [(path, message)] = refused.value.errors
    assert path == field
    assert part in message
    assert VALUE not in message
    assert not Secret.objects.exists()


def test_there_are_not_endlessly_many(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specs.limits.ENVIRONMENT_VARIABLES", 2)
    secrets.change_secrets(project, {"A": VALUE, "B": VALUE})
    with pytest.raises(SpecInvalid, match="2 is the most"):
        secrets.set_secret(project, "C", VALUE)
    secrets.change_secrets(project, {"A": None, "C": VALUE})
    secrets.set_secret(project, "C", VALUE + "2")


@pytest.mark.parametrize("owners", [{}, {"project": True, "profile": True}])
def test_the_database_wants_exactly_one_owner(project: Project, owners: dict[str, bool]) -> None:
    given = {"project": project, "profile": make.profile()}
    with pytest.raises(IntegrityError), transaction.atomic():
        Secret.objects.create(name="A", value="x", **{name: given[name] for name in owners})


# Keys


def test_the_key_is_made_once_for_its_owner_alone(project: Project, own_keys: Path) -> None:
    assert secrets.values_of(project) == {}
    assert not own_keys.exists()
    secrets.set_secret(project, "A", VALUE)
    [key] = lines(own_keys)
    assert own_keys.stat().st_mode & 0o777 == 0o600
    secrets.set_secret(project, "B", VALUE)
    assert lines(own_keys) == [key]


def test_a_lost_key_is_not_made_again_by_looking_and_says_what_to_do(project: Project, own_keys: Path) -> None:
    secrets.set_secret(project, "TOKEN", VALUE)
    own_keys.unlink()
    with pytest.raises(KeyUnusable, match=rf"not there: {own_keys}.*the secret TOKEN of the project {project}"):
        secrets.values_of(project)
    assert not own_keys.exists()
    assert secrets.values_to_hide(project) == []


def test_a_wrong_key_says_which_secret_to_set_again(project: Project, own_keys: Path) -> None:
    secrets.set_secret(project, "TOKEN", VALUE)
    keys.write(own_keys, [encryption.new_key()], replace=True)
    with pytest.raises(SecretUnreadable, match=f"the secret TOKEN of the project {project}.*set the secret again"):
        secrets.values_of(project)
    secrets.set_secret(project, "TOKEN", VALUE)
    assert secrets.values_of(project) == {"TOKEN": VALUE}


@pytest.mark.parametrize("text", ["", "# nothing\n", "no key\n", "a" * 44, "\udc80"])
def test_a_file_without_a_key_is_named(project: Project, own_keys: Path, text: str) -> None:
    own_keys.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(KeyUnusable, match=str(own_keys)):
        secrets.set_secret(project, "TOKEN", VALUE)


def test_a_key_that_is_a_setting_leaves_no_file(project: Project, own_keys: Path, monkeypatch: Any) -> None:
    from pydantic import SecretStr

    key = encryption.new_key()
    config = settings.SPECYARD.model_copy(update={"secrets_key": SecretStr(key)})
    monkeypatch.setattr(settings, "SPECYARD", config)
    secrets.set_secret(project, "TOKEN", VALUE)
    assert secrets.values_of(project) == {"TOKEN": VALUE}
    assert not own_keys.exists()


def test_a_new_key_in_front_encrypts_and_the_old_one_still_decrypts(project: Project, own_keys: Path) -> None:
    secrets.set_secret(project, "A", VALUE)
    old = lines(own_keys)
    new = encryption.new_key()
    keys.write(own_keys, [new, *old], replace=True)
    secrets.set_secret(project, "B", VALUE)
    assert secrets.values_of(project) == {"A": VALUE, "B": VALUE}
    assert not secrets.all_under_first_key()
    assert secrets.encrypt_anew() == 1
    assert secrets.encrypt_anew() == 0
    assert secrets.all_under_first_key()
    keys.write(own_keys, [new], replace=True)
    assert secrets.values_of(project) == {"A": VALUE, "B": VALUE}


def test_what_no_key_opens_does_not_keep_the_rest_from_being_encrypted_anew(project: Project, own_keys: Path) -> None:
    secrets.set_secret(project, "A", VALUE)
    keys.write(own_keys, [encryption.new_key()], replace=True)
    secrets.set_secret(project, "B", VALUE)
    keys.write(own_keys, [encryption.new_key(), *lines(own_keys)], replace=True)
    with pytest.raises(SecretUnreadable, match="the secret A"):
        secrets.encrypt_anew()
    keys.write(own_keys, lines(own_keys)[:1], replace=True)
    assert encryption.decrypt(Secret.objects.get(name="B").value) == VALUE


# From before


@pytest.mark.django_db(transaction=True)
def test_secrets_of_profiles_are_encrypted_where_they_were_readable(tmp_path: Path) -> None:
    from django.core.management import call_command
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    executor.migrate([("specs", "0003_agent_profiles")])
    try:
        old = executor.loader.project_state([("specs", "0003_agent_profiles")]).apps.get_model("specs", "AgentProfile")
        old.objects.create(name="mine", title="Mine", command="x", secrets={"KEY": VALUE, "SHORT": "abc"})
        old.objects.create(name="yours", title="Yours", command="x")
        many = [f"p{number}" for number in range(300)]  # so that pages of the table become free
        secret = {"KEY": VALUE * 50}
        old.objects.bulk_create(old(name=name, title=name, command="x", secrets=secret) for name in many)
    finally:
        call_command("migrate", verbosity=0)
    executor = MigrationExecutor(connection)
    executor.migrate([("specs", "0003_agent_profiles")])  # and back again
    try:
        assert old.objects.get(name="mine").secrets == {"KEY": VALUE, "SHORT": "abc"}
    finally:
        call_command("migrate", verbosity=0)
    found = AgentProfile.objects.get(name="mine")
    assert secrets.values_of(found) == {"KEY": VALUE, "SHORT": "abc"}
    assert AgentProfile.objects.get(name="yours").secret_names == []
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        stored = b"".join(path.read_bytes() for path in Path(name).parent.glob(Path(name).name + "*"))
        assert b"specs_secret" in stored
        assert VALUE.encode() not in stored


def test_no_value_is_in_a_dump_of_the_database(project: Project) -> None:
    from io import StringIO

    from django.core.management import call_command

    secrets.set_secret(project, "TOKEN", VALUE)
    out = StringIO()
    call_command("dumpdata", "specs", "dashboard", stdout=out)
    assert "specs.secret" in out.getvalue()
    assert VALUE not in out.getvalue()
