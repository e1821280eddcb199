"""Links that sign in once."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import resolve
from django.utils import timezone

from dashboard import signin
from dashboard.models import SignInLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create_superuser("mira")


def token_of(path: str) -> str:
    return path.removeprefix(signin.PATH)


def test_a_link_works_once(user: User) -> None:
    token = token_of(signin.create_link(user))
    assert signin.redeem(token) == user
    assert signin.redeem(token) is None


def test_a_link_leads_to_a_page(user: User) -> None:
    path = signin.create_link(user)
    assert resolve(path).kwargs == {"token": token_of(path)}


def test_the_token_itself_is_not_stored(user: User) -> None:
    token = token_of(signin.create_link(user))
    assert token not in str(SignInLink.objects.values_list())


def test_a_link_that_is_too_old_does_not_work(user: User) -> None:
    token = token_of(signin.create_link(user))
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert signin.redeem(token) is None


def test_a_link_of_an_account_that_was_closed_does_not_work(user: User) -> None:
    token = token_of(signin.create_link(user))
    User.objects.update(is_active=False)
    assert signin.redeem(token) is None


@pytest.mark.parametrize("token", ["", "x", "\0", "\udcff", "ä" * 5000])
def test_a_made_up_token_does_not_work(token: str) -> None:
    assert signin.redeem(token) is None


def test_old_links_are_forgotten(user: User) -> None:
    signin.create_link(user)
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(days=1))
    signin.create_link(user)
    assert SignInLink.objects.count() == 1


def test_the_first_owner_is_made_once_and_has_no_password() -> None:
    owner = signin.owner()
    assert (owner.username, owner.is_superuser, owner.has_usable_password()) == ("operator", True, False)
    assert signin.owner() == owner


def test_the_owner_is_whoever_is_administrator_already(user: User) -> None:
    assert signin.owner() == user


def test_a_name_that_is_taken_does_not_stop_the_first_owner() -> None:
    User.objects.create_user("operator")
    assert signin.owner().is_superuser
