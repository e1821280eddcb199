"""Tokens with which programs act for an account: made, used and revoked.

A token is 256 random bits, so a fast digest is enough to keep it: there is no dictionary to try, as there is for
passwords. It is found by its digest; how long that takes says nothing about how much of a guess was right.
"""

import hashlib
import logging
import secrets
import string
import threading
from datetime import datetime, timedelta
from typing import Never

from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from dashboard import access, slowing
from dashboard.addresses import address_of
from dashboard.models import ApiToken, Scope
from dashboard.models.api_token import NAME_LENGTH
from queue_app.errors import BadValue
from specs.acting import Target, record

logger = logging.getLogger(__name__)

PREFIX = "specyard_"  # for people and for programs that look for leaked secrets
ALPHABET = string.ascii_letters + string.digits
LETTERS = 43  # of 62: 256 bits
SHOWN = 6  # letters behind the prefix by which people know a token
USUAL_DAYS, MOST_DAYS = 90, 366
MOST_TOKENS = 100  # of one account that work
USED_EVERY = timedelta(minutes=1)
SCOPES = tuple(Scope.values)


class InvalidToken(Exception):
    """This token does not work: it is unknown, has expired, was revoked, or its account is closed."""

    def __str__(self) -> str:
        return InvalidToken.__doc__ or ""


def create(
    user: User, name: str, scope: str, days: int | None = USUAL_DAYS, *, by: str = "", most: str = ""
) -> tuple[ApiToken, str]:
    """A new token and its secret, which nobody can ever see again.

    `most` is the scope of the token that asks for it, if one does. `days` None: it does not expire, for administrators
    only. Raises BadValue.
    """
    name = name.strip()
    role = access.role_of_account(user)
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise BadValue(f"name: must have 1 to {NAME_LENGTH} characters on one line.")
    if scope not in offered(role, most):
        allowed = offered(role, most)
        raise BadValue(f"scope: must be {' or '.join(allowed)}: not more than you may yourself.")
    if days is None and role != access.ADMINS:
        raise BadValue("expires_in_days: only tokens of administrators may last for ever.")
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise BadValue(f"expires_in_days: must be between 1 and {MOST_DAYS}.")
    if working(user).count() >= MOST_TOKENS:
        raise BadValue(f"name: this account has {MOST_TOKENS} tokens already; revoke those that nobody needs.")
    return _store(user, name, Scope(scope), days, by)


def _store(user: User, name: str, scope: Scope, days: int | None, by: str) -> tuple[ApiToken, str]:
    secret = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(LETTERS))
    expires_at = None if days is None else timezone.now() + timedelta(days=days)
    shown = secret[: len(PREFIX) + SHOWN]
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user, name=name, scope=scope, digest=digest(secret), prefix=shown, expires_at=expires_at
        )
        facts = {"account": user.get_username(), "scope": scope, "expires_at": _moment(expires_at)}
        record("token.create", token, after=facts, by=by)
    return token, secret


def offered(role: str, most: str = "") -> tuple[str, ...]:
    """The scopes that a token of somebody with this role may have, within the scope `most`."""
    highest = min(access.ROLES.index(role), SCOPES.index(most) if most else len(SCOPES) - 1)
    return SCOPES[: highest + 1]


def working(user: User) -> QuerySet[ApiToken]:
    """The tokens of the account that have neither expired nor been revoked."""
    alive = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return ApiToken.objects.filter(alive, user=user, revoked_at=None)


def revoke(token: ApiToken, by: str = "") -> None:
    """The token does not work any more, from the next request on. Repeating it changes nothing."""
    with transaction.atomic():
        now = timezone.now()
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            token.revoked_at = now
            record("token.revoke", token, after={"account": token.user.get_username()}, by=by)


def revoke_all(user: User, by: str = "") -> None:
    """Revoke every token of the account."""
    for token in working(user).select_related("user"):
        revoke(token, by)


def end_some_day(user: User) -> None:
    """Tokens without an end are for administrators: those of somebody who is none get the usual one."""
    working(user).filter(expires_at=None).update(expires_at=timezone.now() + timedelta(days=USUAL_DAYS))


def user_of(secret: str, request: HttpRequest) -> User:
    """The account of a token that works, which the request's user is from now on.

    Raises InvalidToken, in the same words whatever is wrong with it, or slowing.Slowed after too many such. One that
    works is never slowed down.
    """
    token = ApiToken.objects.select_related("user").filter(digest=digest(secret)).first()
    if token is None or not token.is_valid():
        _refuse(token, request)
    user: User = token.user
    user.token = token  # type: ignore[attr-defined]
    access.forget_role(user)
    request.user = user
    if token.last_used_at is None or timezone.now() - token.last_used_at >= USED_EVERY:
        _used.add(token.pk)
    return user


def _refuse(token: ApiToken | None, request: HttpRequest) -> Never:
    slowing.count(slowing.tokens(request))
    known = {"state": token.state, "account": token.user.get_username()} if token else {}
    record("token.refuse", token or Target(None, "unknown"), after={**known, "address": address_of(request)})
    raise InvalidToken


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


class _Used:
    """Tokens that were used and whose time of use shall be written, once nobody waits for a reply any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: set[int] = set()

    def add(self, pk: int) -> None:
        with self._lock:
            self._tokens.add(pk)

    def write(self, **_: object) -> None:
        """After a request: write for all that were used meanwhile. A database that is busy is no reason to fail."""
        with self._lock:
            tokens, self._tokens = self._tokens, set()
        if not tokens:
            return
        now = timezone.now()
        due = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
        try:
            ApiToken.objects.filter(due, pk__in=tokens).update(last_used_at=now)
        except DatabaseError as error:
            logger.warning("When a token was last used was not written: %s", error)


_used = _Used()
write_uses = _used.write


def _moment(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
