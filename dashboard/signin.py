"""Links that sign in once: made for whoever owns the machine, redeemed by the sign-in page."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.models import SignInLink

LIFETIME = timedelta(minutes=10)
PATH = "/sign-in/"  # followed by the token
FIRST_USER = "operator"


def create_link(user: User) -> str:
    """The path of a new link for `user`; it works once, within LIFETIME. Old links are forgotten here."""
    SignInLink.objects.filter(expires_at__lt=timezone.now() - LIFETIME).delete()
    token = secrets.token_urlsafe(32)
    SignInLink.objects.create(user=user, digest=_digest(token), expires_at=timezone.now() + LIFETIME)
    return PATH + token


def redeem(token: str) -> User | None:
    """The user whom this token signs in; None when it was used before, has expired, or never was one."""
    now = timezone.now()
    link = SignInLink.objects.select_related("user").filter(digest=_digest(token), user__is_active=True).first()
    if link is None:
        return None
    unused = SignInLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now)
    return link.user if unused.update(used_at=now) == 1 else None


def owner() -> User:
    """The first active administrator. On a new installation the account "operator", without a password."""
    users = get_user_model().objects
    found = users.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if found is not None:
        return found
    name = FIRST_USER
    while users.filter(username=name).exists():
        name += "-"
    return users.create_superuser(username=name, email="", password=None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
