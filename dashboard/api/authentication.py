"""Who calls the API. What they may do is decided by `dashboard.access`, as for the pages.

A program sends `Authorization: Bearer specyard_…`; a browser its session, and then the token against forgery
(X-CSRFToken) with everything that changes something. A request with a bearer token is the token's alone: its cookie
does not count.
"""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from ninja.security import HttpBearer, SessionAuth

from dashboard import access, tokens

Allowed = Callable[[Any], bool]
NO_TOKENS = "Only a person who has signed in may do this, no token."


class Token(HttpBearer):
    """The API token of an account."""

    def __init__(self, allowed: Allowed, refusal: str) -> None:
        super().__init__()
        self.allowed, self.refusal = allowed, refusal

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        """The token's account. Raises tokens.InvalidToken, slowing.Slowed or PermissionDenied, never gives None:
        that would let the session be asked."""
        user = tokens.user_of(token.strip(), request)
        if not self.allowed(user):
            raise PermissionDenied(self.refusal)
        return user


class Session(SessionAuth):
    """The sign-in of a browser. Whoever changes something sends the token of the page (X-CSRFToken), too."""

    def __init__(self, allowed: Allowed, refusal: str) -> None:
        super().__init__()
        self.allowed, self.refusal = allowed, refusal

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        user = super().authenticate(request, key)
        if user is not None and not self.allowed(user):
            raise PermissionDenied(self.refusal)
        return user


def _both(allowed: Allowed, refusal: str) -> list[Token | Session]:
    return [Token(allowed, refusal), Session(allowed, refusal)]


LOOKING = _both(access.may_look, "")
ACTING = _both(access.may_act, access.ONLY_OPERATORS)
ADMINISTERING = _both(access.may_administer, access.ONLY_ADMINS)
IN_PERSON = [Token(lambda user: False, NO_TOKENS), Session(access.may_look, "")]
