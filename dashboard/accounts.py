"""What administrators do to accounts, and people to their own; the pages and the API call these verbs.

An account has one role, as a group: viewer, operator or admin. Somebody can always administer: the last active
administrator is neither demoted nor closed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from dashboard import access, signin, slowing, tokens
from queue_app.errors import BadValue
from specs.acting import record
from workers.models.question import POLICY

RESERVED = {POLICY, "system", "specyard"}  # what the pages call those who are nobody
IS_ADMIN = Q(is_superuser=True) | Q(is_staff=True) | Q(groups__name=access.ADMINS)
NAME_LENGTH = 150


class AccountError(Exception):
    """This is not possible for the account as it is."""

    current = ""

    def __str__(self) -> str:
        return type(self).__doc__ or ""


class LastAdministrator(AccountError):
    """This is the last active administrator. Make somebody else one first."""


class AccountClosed(AccountError):
    """The account is closed, so nobody can sign in by it."""

    current = "closed"


def create(name: str, role: str, by: str = "") -> User:
    """A new account without a password: set one, or give it a link to sign in. Raises BadValue."""
    name = _checked_name(name)
    _check_role(role)
    try:
        with transaction.atomic():
            user = User.objects.create_user(name)
            user.groups.set([_group(role)])
            record("account.create", user, after={"role": role}, by=by)
    except IntegrityError as error:  # somebody took the name a moment ago
        raise BadValue(_taken(name)) from error
    return user


def set_role(user: User, role: str, by: str = "") -> None:
    """Give the account this role and no other. Raises BadValue or LastAdministrator.

    Its tokens may what it may itself; those without an end, which are for administrators, get one.
    """
    _check_role(role)
    with _one_at_a_time():
        user.refresh_from_db()
        before = role_of(user)
        if role != access.ADMINS:
            _check_that_others_administer(user)
        user.groups.remove(*Group.objects.filter(name__in=access.ROLES))
        user.groups.add(_group(role))
        User.objects.filter(pk=user.pk).update(is_staff=False, is_superuser=False)
        user.refresh_from_db()
        access.forget_role(user)
        if role != access.ADMINS:
            tokens.end_some_day(user)
        if before != role:
            record("account.set_role", user, before={"role": before}, after={"role": role}, by=by)


def deactivate(user: User, by: str = "") -> None:
    """Close the account: its sessions end, its tokens are revoked, open pages lose their connection within seconds.

    Repeating it changes nothing. Raises LastAdministrator.
    """
    with _one_at_a_time():
        _check_that_others_administer(user)
        if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
            end_sessions(user)
            tokens.revoke_all(user, by)
            user.sign_in_links.all().delete()
            record("account.deactivate", user, before={"active": True}, after={"active": False}, by=by)
    user.refresh_from_db()


def activate(user: User, by: str = "") -> None:
    """Open the account again. Its old sessions, tokens and links stay gone."""
    with _one_at_a_time():
        if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            record("account.activate", user, before={"active": False}, after={"active": True}, by=by)
    user.refresh_from_db()


def set_password(user: User, password: str, by: str = "") -> None:
    """Change the password, which ends every session of the account, and its links to sign in.

    Raises BadValue with the validators' reasons.
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadValue(f"password: {' '.join(error.messages)}") from error
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        user.sign_in_links.all().delete()
        record("account.set_password", user, by=by)


@sensitive_variables("old", "password")
def change_own_password(request: HttpRequest, old: str, password: str) -> None:
    """Change the password of whoever has signed in, which ends all other sessions. `old` counts where there is one.

    Raises BadValue or slowing.Slowed.
    """
    user = access.account_of(request)
    if user.has_usable_password():
        tried = slowing.count(slowing.passwords(request, user.username))
        if not user.check_password(old):
            raise BadValue("old: is not your password.")
        slowing.forgive(tried)
    set_password(user, password)
    update_session_auth_hash(request, user)


def give_link(user: User, by: str = "") -> str:
    """The path of a link that signs the account in, once within 10 minutes. Raises AccountClosed."""
    if not user.is_active:
        raise AccountClosed
    return signin.create_link(user, by=by)


def end_sessions(user: User) -> None:
    """End every session of the account, wherever it has signed in."""
    for session in Session.objects.iterator():
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """A transaction in which nobody else changes who administers: two could each leave the other as the last one."""
    with transaction.atomic():
        lock()
        yield


def lock(_: object = None) -> None:
    """What everybody takes first who changes roles, or opens and closes accounts; held until the transaction ends."""
    Group.objects.select_for_update().get(name=access.ADMINS)


def _check_that_others_administer(user: User) -> None:
    administers = User.objects.filter(IS_ADMIN, is_active=True)
    if administers.filter(pk=user.pk).exists() and not administers.exclude(pk=user.pk).exists():
        raise LastAdministrator


def _checked_name(name: str) -> str:
    name = User.normalize_username(name.strip())
    try:
        UnicodeUsernameValidator()(name)
    except ValidationError as error:
        raise BadValue("name: must consist of letters, digits and @ . + - _ only.") from error
    if len(name) > NAME_LENGTH:
        raise BadValue(f"name: must have 1 to {NAME_LENGTH} characters.")
    if name.casefold() in RESERVED:
        raise BadValue(f"name: “{name}” is what pages call nobody in particular; choose another.")
    if User.objects.filter(username__iexact=name).exists():
        raise BadValue(_taken(name))
    return name


def _taken(name: str) -> str:
    return f"name: “{name}” is the name of another account."


def _check_role(role: str) -> None:
    if role not in access.ROLES:
        raise BadValue(f"role: must be one of {', '.join(access.ROLES)}.")


def _group(role: str) -> Group:
    return Group.objects.get(name=role)


def role_of(user: User) -> str:
    """Its role when it is open, whether it is or not; from the groups that were fetched beforehand, if they were."""
    if user.is_superuser or user.is_staff:
        return access.ADMINS
    names = {group.name for group in user.groups.all()} & set(access.ROLES)
    return max(names, key=access.ROLES.index, default=access.VIEWERS)
