"""Who listens to events, and whether they still may."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from dashboard.live.sessions import still_signed_in
from dashboard.models import ApiToken


@dataclass(frozen=True)
class Caller:
    """An account, by one of its tokens or by a session of a browser."""

    account: int
    token: int | None = None
    session: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> "Caller":
        """Who sends a request that was let in."""
        user: Any = request.user
        token = getattr(user, "token", None)
        if token is not None:
            return cls(user.pk, token=token.pk)
        return cls(user.pk, session=request.session.session_key or "")


def still_welcome(callers: Iterable[Caller]) -> set[Caller]:
    """Those whose token still works, or whose session is alive, and whose account is open."""
    asked = list(callers)
    numbers = [caller.token for caller in asked if caller.token is not None]
    tokens = ApiToken.objects.select_related("user").filter(pk__in=numbers) if numbers else []
    valid = {token.pk for token in tokens if token.is_valid()}
    sessions = still_signed_in({caller.session for caller in asked if caller.token is None})
    return {caller for caller in asked if (caller.token in valid if caller.token else caller.session in sessions)}
