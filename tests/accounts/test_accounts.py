"""What administrators do to accounts, and that there is always one of them."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from dashboard import access, accounts
from dashboard.accounts import LastAdministrator
from dashboard.models import AuditEntry
from queue_app.errors import BadValue
from tests.accounts.conftest import account, last, token_of
from tests.support.driving import Pool

pytestmark = pytest.mark.django_db


def root() -> User:
    return User.objects.get(username="ada")


@pytest.mark.parametrize("role", access.ROLES)
def test_an_account_is_added_with_its_role(admin: Client, role: str) -> None:
    reply = admin.post("/accounts", {"name": " mira ", "role": role})
    user = User.objects.get(username="mira")
    assert reply["Location"] == f"/accounts/{user.pk}"
    assert (access.role(user), user.has_usable_password()) == (role, False)
    entry = last(action="account.create")
    assert (entry.actor, entry.source, entry.label, entry.after) == ("ada", "page", "mira", {"role": role})


@pytest.mark.parametrize(
    ("name", "role", "field"),
    [
        ("", "viewer", "Name"),
        ("a b", "viewer", "Name"),
        ("<script>", "viewer", "Name"),
        ("x" * 151, "viewer", "Name"),
        ("ADA", "viewer", "Name"),
        ("policy", "viewer", "Name"),
        ("System", "viewer", "Name"),
        ("mira", "root", "Role"),
        ("mira", "", "Role"),
    ],
)
def test_what_cannot_be_added_is_named(admin: Client, name: str, role: str, field: str) -> None:
    reply = admin.post("/accounts", {"name": name, "role": role})
    assert reply.status_code == 400
    assert f"{field}: " in reply.content.decode()
    assert User.objects.count() == 1


def test_a_role_is_changed_and_recorded(admin: Client) -> None:
    user = account("mira", "viewer")
    admin.post(f"/accounts/{user.pk}/role", {"role": "operator"})
    assert access.role(User.objects.get(pk=user.pk)) == "operator"
    entry = last(action="account.set_role")
    assert (entry.before, entry.after) == ({"role": "viewer"}, {"role": "operator"})
    admin.post(f"/accounts/{user.pk}/role", {"role": "operator"})
    assert AuditEntry.objects.filter(action="account.set_role").count() == 1


def test_who_is_no_superuser_any_more_may_no_more_than_the_role_says(admin: Client) -> None:
    user = User.objects.create_superuser("boss")
    admin.post(f"/accounts/{user.pk}/role", {"role": "viewer"})
    found = User.objects.get(pk=user.pk)
    assert (access.role(found), found.is_staff, found.is_superuser) == ("viewer", False, False)


@pytest.mark.parametrize("how", ["viewer", "operator", "deactivate"])
def test_the_last_administrator_stays(admin: Client, how: str) -> None:
    User.objects.create_superuser("closed", is_active=False)
    path = f"/accounts/{root().pk}/"
    reply = admin.post(path + "deactivate") if how == "deactivate" else admin.post(path + "role", {"role": how})
    assert "last active administrator" in admin.get(path.rstrip("/")).content.decode() + reply.content.decode()
    assert access.role(root()) == "admin"
    assert not AuditEntry.objects.filter(action__in=("account.set_role", "account.deactivate")).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", ["demote", "close"])
def test_two_administrators_cannot_remove_each_other_at_once(verb: str) -> None:
    for turn in range(5):
        two = [account(f"ada-{turn}-{n}", "admin") for n in range(2)]
        with Pool(2) as pool:
            if verb == "demote":
                futures = [pool.submit(accounts.set_role, user, "viewer") for user in two]
            else:
                futures = [pool.submit(accounts.deactivate, user) for user in two]
        assert {type(future.exception()) for future in futures} == {type(None), LastAdministrator}
        assert User.objects.filter(accounts.IS_ADMIN, is_active=True).count() == 1
        User.objects.all().delete()
    connection.close()


def test_an_account_is_closed_and_opened_again(admin: Client) -> None:
    user = account("mira", "operator")
    token_of(user)
    for _ in range(2):
        assert admin.post(f"/accounts/{user.pk}/deactivate").status_code == 302
    assert "closed" in admin.get("/accounts").content.decode()
    assert AuditEntry.objects.filter(action="account.deactivate").count() == 1
    assert AuditEntry.objects.filter(action="token.revoke").count() == 1
    admin.post(f"/accounts/{user.pk}/activate")
    assert User.objects.get(pk=user.pk).is_active


def test_a_password_is_set_and_shown_nowhere(admin: Client) -> None:
    user = account("mira")
    assert admin.post(f"/accounts/{user.pk}/password", {"password": "short"}).status_code == 400
    assert admin.post(f"/accounts/{user.pk}/password", {"password": "another good one 7"}).status_code == 302
    assert User.objects.get(pk=user.pk).check_password("another good one 7")
    assert "another good" not in str(list(AuditEntry.objects.values())) + admin.get("/audit").content.decode()


def test_who_sets_the_own_password_there_stays_signed_in(admin: Client) -> None:
    admin.post(f"/accounts/{root().pk}/password", {"password": "another good one 7"})
    assert admin.get("/accounts").status_code == 200


def test_a_link_is_shown_once_and_signs_in(admin: Client) -> None:
    user = account("mira")
    reply = admin.post(f"/accounts/{user.pk}/link")
    assert "no-store" in reply["Cache-Control"]
    link = reply.context["link"]
    assert link.startswith("http://testserver/sign-in/")
    assert link not in admin.get(f"/accounts/{user.pk}").content.decode()
    browser = Client()
    browser.post(link)
    assert "mira" in browser.get("/workers").content.decode()
    assert last(action="account.give_link").label == "mira"


def test_a_closed_account_gets_no_link(admin: Client) -> None:
    user = account("mira", is_active=False)
    assert admin.post(f"/accounts/{user.pk}/link").status_code == 400


def test_the_verbs_refuse_before_they_write() -> None:
    with pytest.raises(BadValue):
        accounts.create("mira", "root")
    assert not User.objects.exists()


def test_djangos_admin_cannot_go_around_the_last_administrator(admin: Client) -> None:
    user = root()
    assert admin.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"}).status_code == 403
    form = {"first_name": "Ada", "last_name": "", "email": "", "is_active": "", "groups": [], "is_superuser": ""}
    admin.post(f"/admin/auth/user/{user.pk}/change/", form)
    assert access.role(root()) == "admin"
    assert root().first_name == "Ada"
    entry = last()
    assert (entry.action, entry.source, entry.before, entry.after) == (
        "account.change",
        "admin",
        {"first_name": ""},
        {"first_name": "Ada"},
    )
    assert admin.get("/admin/auth/group/").status_code == 404


def test_the_list_asks_a_constant_number_of_questions(admin: Client, django_assert_max_num_queries: Any) -> None:
    for n in range(20):
        token_of(account(f"user{n}", "operator"))
    with django_assert_max_num_queries(30):
        page = admin.get("/accounts").content.decode()
    assert page.count("operator") >= 20
    assert Group.objects.count() == 3
