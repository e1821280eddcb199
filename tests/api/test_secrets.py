"""Secrets, for programs: names are given, values only taken."""

import pytest
from django.test import Client

from specs.models import AgentProfile, Project, Secret
from specs.secrets import values_of
from tests.api.conftest import Call, caller
from tests.support import make

pytestmark = pytest.mark.django_db
VALUE = "s3cret-that-nobody-sees"
Owner = Project | AgentProfile


@pytest.fixture(params=["project", "profile"])
def owner(request: pytest.FixtureRequest) -> Owner:
    made: Owner = make.project() if request.param == "project" else make.profile(secrets={})
    return made


@pytest.fixture
def path(owner: Owner) -> str:
    return f"/{owner._meta.model_name.replace('agent', '')}s/{owner.pk}/secrets"


def test_administrators_set_list_and_delete(admin: Client, owner: Owner, path: str) -> None:
    call = caller(admin)
    reply = call("put", f"{path}/TOKEN", {"value": VALUE})
    assert reply.status_code == 200, reply.content
    assert reply.json().keys() == {"name", "changed_at", "changed_by"}
    assert values_of(owner) == {"TOKEN": VALUE}
    listed = call("get", path)
    assert [item["name"] for item in listed.json()["items"]] == ["TOKEN"]
    assert VALUE not in reply.content.decode() + listed.content.decode()
    assert call("delete", f"{path}/TOKEN").status_code == 204
    assert call("delete", f"{path}/TOKEN").status_code == 404
    assert call("get", path).json() == {"items": []}


def test_others_get_names_alone(call: Call, viewer: Client, admin: Client, path: str) -> None:
    caller(admin)("put", f"{path}/TOKEN", {"value": VALUE})
    for other in (call, caller(viewer)):
        assert other("get", path).json()["items"][0]["name"] == "TOKEN"
        assert other("put", f"{path}/TOKEN", {"value": "another-value"}).status_code == 403
        assert other("delete", f"{path}/TOKEN").status_code == 403
    assert caller(Client())("get", path).status_code == 401


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [("A%20B", VALUE, "name"), ("SPECYARD_X", VALUE, "name"), ("A", "12345", "value"), ("A", 7, "value")],
)
def test_a_bad_one_is_refused_by_field_without_its_value(
    admin: Client, path: str, name: str, value: object, field: str
) -> None:
    reply = caller(admin)("put", f"{path}/{name}", {"value": value})
    assert reply.status_code == 422
    assert [error["field"] for error in reply.json()["errors"]] == [field]
    assert str(value) not in reply.content.decode()
    assert not Secret.objects.exists()


def test_without_an_owner_there_is_nothing(admin: Client) -> None:
    for kind in ("projects", "profiles"):
        assert caller(admin)("get", f"/{kind}/4711/secrets").status_code == 404
        assert caller(admin)("put", f"/{kind}/4711/secrets/A", {"value": VALUE}).status_code == 404
