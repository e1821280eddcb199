"""Links that sign in once: made for whoever owns the machine, redeemed by the sign-in page."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from dashboard import access
from dashboard.models import SignInLink
from specs.acting import record

LIFETIME = timedelta(minutes=10)
PATH = "/sign-in/"  # followed by the token
FIRST_USER = "operator"


def create_link(user: User, by: str = "") -> str:
    """The path of a new link for `user`; it works once, within LIFETIME. Old links are forgotten here."""
    SignInLink.objects.filter(expires_at__lt=timezone.now() - LIFETIME).delete()
    token, expires_at = secrets.token_urlsafe(32), timezone.now() + LIFETIME
    with transaction.atomic():
        SignInLink.objects.create(user=user, digest=_digest(token), expires_at=expires_at)
        record("account.give_link", user, after={"expires_at": expires_at.isoformat(timespec="seconds")}, by=by)
    return PATH + token


def find(token: str) -> User | None:
    """The user whom this token would sign in now; None when it was used before, has expired, or never was one."""
    link = _unused(token, timezone.now()).select_related("user").first()
    return link.user if link else None


def redeem(token: str) -> User | None:
    """The user whom this token signs in, and its end; None as for `find`. Of two at once only one gets the user."""
    now = timezone.now()
    link = _unused(token, now).select_related("user").first()
    if link is None:
        return None
    return link.user if _unused(token, now).update(used_at=now) == 1 else None


def _unused(token: str, now: datetime) -> QuerySet[SignInLink]:
    found = SignInLink.objects.filter(digest=_digest(token), user__is_active=True)
    return found.filter(used_at=None, expires_at__gt=now)


def owner() -> User:
    """The first active administrator. On a new installation the account "operator", without a password."""
    users = get_user_model().objects
    for rule in ({"is_superuser": True}, {"groups__name": access.ADMINS}, {"is_staff": True}):
        if user := users.filter(is_active=True, **rule).order_by("pk").first():
            return user
    name = FIRST_USER
    while users.filter(username=name).exists():
        name += "-"
    return users.create_superuser(username=name, email="", password=None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
