"""Whether people who have a page open are still signed in."""

from collections.abc import Iterable
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest


def still_signed_in(keys: Iterable[str]) -> set[str]:
    """Those of the session keys that would still open a page: alive, of an active user, password unchanged."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    return {key for key in keys if key and _opens_pages(store(key))}


def _opens_pages(session: SessionBase) -> bool:
    request = HttpRequest()
    request.session = session
    user = get_user(request)
    return bool(user.is_authenticated and user.is_active)
