"""What each role may, whatever it came by."""

import importlib
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.utils import timezone

from dashboard import access, accounts, tokens
from dashboard.apps import make_roles
from tests.accounts.conftest import account, program, token_of

pytestmark = pytest.mark.django_db


def test_there_is_a_group_for_each_role() -> None:
    assert set(access.ROLES) <= set(Group.objects.values_list("name", flat=True))


@pytest.mark.django_db(transaction=True)
def test_the_groups_are_there_again_after_the_database_was_emptied() -> None:
    call_command("flush", interactive=False, verbosity=0)
    assert set(access.ROLES) <= set(Group.objects.values_list("name", flat=True))


def test_making_the_groups_again_changes_nothing() -> None:
    before = set(Group.objects.values_list("pk", "name"))
    make_roles("default", apps)
    assert set(Group.objects.values_list("pk", "name")) == before


@pytest.mark.parametrize(
    ("fields", "groups", "role"),
    [
        ({}, (), "viewer"),
        ({}, ("viewer",), "viewer"),
        ({}, ("operator",), "operator"),
        ({}, ("viewer", "operator"), "operator"),
        ({}, ("operator", "admin"), "admin"),
        ({}, ("somebody else's",), "viewer"),
        ({"is_staff": True}, (), "admin"),
        ({"is_superuser": True}, ("viewer",), "admin"),
        ({"is_active": False, "is_superuser": True}, ("admin",), ""),
    ],
)
def test_the_role_of_an_account(fields: dict[str, bool], groups: tuple[str, ...], role: str) -> None:
    user = User.objects.create_user("mira", **fields)
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in groups])
    assert access.role(user) == role
    assert access.may_look(user) == bool(role)
    assert access.may_act(user) == (role in ("operator", "admin"))
    assert access.may_administer(user) == (role == "admin")


@pytest.mark.parametrize("role", access.ROLES)
def test_the_page_carries_the_role(role: str) -> None:
    client = Client()
    client.force_login(account("mira", role))
    page = client.get("/workers").content.decode()
    assert f'data-role="{role}"' in page
    assert ('href="/accounts"' in page) == (role == "admin")


@pytest.mark.parametrize(("role", "status"), [("", 403), ("viewer", 403), ("operator", 403), ("admin", 200)])
@pytest.mark.parametrize("path", ["/accounts", "/audit", "/audit/audit.csv", "/admin/", "/api/audit"])
def test_only_administrators_look_after_accounts_and_read_what_was_done(path: str, role: str, status: int) -> None:
    client = Client()
    client.force_login(account("mira", role))
    response = client.get(path, follow=path == "/admin/")
    assert response.status_code == status
    if status == 403:
        assert "Only administrators may do this." in response.content.decode()


def test_an_administrator_by_group_may_all_in_djangos_admin() -> None:
    client = Client()
    client.force_login(account("mira", "admin"))
    page = client.get("/admin/").content.decode()
    assert "Projects" in page
    assert client.get("/admin/specs/project/add/").status_code == 200


def test_djangos_admin_has_no_form_of_its_own_to_guess_passwords_in() -> None:
    reply = Client().get("/admin/login/?next=/admin/specs/project/")
    assert reply["Location"] == "/sign-in?next=%2Fadmin%2Fspecs%2Fproject%2F"
    User.objects.create_superuser("ada", password="a-password")
    posted = Client().post("/admin/login/", {"username": "ada", "password": "a-password"})
    assert posted["Location"].startswith("/sign-in")


@pytest.mark.parametrize(
    ("role", "scope", "what"),
    [
        ("admin", "read", "viewer"),
        ("admin", "act", "operator"),
        ("admin", "admin", "admin"),
        ("operator", "act", "operator"),
    ],
)
def test_a_token_may_what_its_scope_and_its_account_may(role: str, scope: str, what: str) -> None:
    call = program(token_of(account("mira", role), scope))
    assert call("get", "/tokens").status_code == 200
    assert call("post", "/workers/4711/merge").status_code == (403 if what == "viewer" else 404)
    assert call("get", "/audit").status_code == (200 if what == "admin" else 403)


def test_an_account_that_loses_its_role_takes_its_tokens_along() -> None:
    user = account("mira", "admin")
    call = program(token_of(user, "admin"))
    assert call("get", "/audit").status_code == 200
    user.groups.set(Group.objects.filter(name="viewer"))
    refused = call("get", "/audit")
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused["WWW-Authenticate"]
    assert call("get", "/tokens").status_code == 200


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_is_no_administrator_any_more_has_no_token_for_ever(role: str, ada: User) -> None:
    other = account("ines", "admin")
    lasting, ending = tokens.create(other, "one", "admin", None)[0], tokens.create(other, "two", "admin", 7)[0]
    kept = tokens.create(ada, "three", "admin", None)[0]
    accounts.set_role(other, role)
    for token in (lasting, ending, kept):
        token.refresh_from_db()
    assert timedelta(89) < lasting.expires_at - timezone.now() <= timedelta(90)
    assert ending.expires_at - timezone.now() <= timedelta(7)
    assert kept.expires_at is None


def test_passwords_are_changed_on_our_pages_which_count_tries(ada: User) -> None:
    client = Client()
    client.force_login(ada)
    assert client.post("/admin/password_change/", {"old_password": "guess"})["Location"] == "/account/password"
    form = {"password1": "another good one 7", "password2": "another good one 7"}
    assert client.post(f"/admin/auth/user/{ada.pk}/password/", form)["Location"] == f"/accounts/{ada.pk}"
    assert not User.objects.get(pk=ada.pk).has_usable_password()


def test_every_view_of_ours_says_who_may() -> None:
    """But for signing in and out."""
    pages = importlib.import_module("dashboard.pages.urls").urlpatterns
    free = {pattern.name for pattern in pages if not hasattr(_view(pattern.callback), "methods")}
    assert free == {"sign-in", "sign-in-link", "sign-out"}


def _view(callback: object) -> object:
    while not hasattr(callback, "methods") and hasattr(callback, "__wrapped__"):
        callback = callback.__wrapped__
    return callback


def test_a_role_is_asked_for_once_in_a_request(django_assert_num_queries: object) -> None:
    request = RequestFactory().get("/")
    request.user = account("mira", "operator")
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert access.may_act(request.user)
        assert not access.may_administer(request.user)
        assert access.role(request.user) == "operator"
