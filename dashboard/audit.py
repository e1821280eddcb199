"""The record of who has done what: every action that a verb tells (`specs.acting`) becomes an entry of the audit log.

Where an action comes from is known here: the middleware says page, API or admin with the request's user, commands say
CLI, and what nobody asked for is the system's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse

from dashboard.models import AuditEntry, Source
from dashboard.models.audit_entry import ACTOR_LENGTH, LABEL_LENGTH
from specs.acting import Target

API, ADMIN = "/api/", "/admin/"


@dataclass(frozen=True)
class Origin:
    """Where actions come from. With a request, its user counts when the action is done: a token may name another."""

    source: Source
    actor: str = ""
    request: HttpRequest | None = None

    @property
    def name(self) -> str:
        user = getattr(self.request, "user", None)
        return (user.get_username() if user is not None else "") or self.actor

    @property
    def token(self) -> str:
        """The first letters of the token with which the request came."""
        token = getattr(getattr(self.request, "user", None), "token", None)
        return token.prefix if token is not None else ""


NOWHERE = Origin(Source.SYSTEM)
_origin: ContextVar[Origin] = ContextVar("specyard_origin", default=NOWHERE)


def origin() -> Origin:
    """Where actions come from now."""
    return _origin.get()


@contextmanager
def acting_from(source: Source, actor: str = "", request: HttpRequest | None = None) -> Iterator[None]:
    """Within: actions come from there."""
    token = _origin.set(Origin(source, actor, request))
    try:
        yield
    finally:
        _origin.reset(token)


class Origins:
    """Middleware: whatever a request does is done by its user, on a page, by the API or in Django's admin."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_command = origin().source == Source.CLI  # which may call the API
        with acting_from(Source.CLI if is_command else _source_of(request.path_info), origin().actor, request):
            return self.get_response(request)


def _source_of(path: str) -> Source:
    return Source.API if path.startswith(API) else Source.ADMIN if path.startswith(ADMIN) else Source.PAGE


def keep(
    sender: Any, action: str, target: Target, by: str, before: dict[str, Any], after: dict[str, Any], **_: Any
) -> None:
    """Write the entry, in the transaction of the change."""
    where = origin()
    # A command that calls the API here does so by the owner's account, which is not who has typed it.
    actor = where.actor if where.source == Source.CLI else by or where.name
    AuditEntry.objects.create(
        actor=actor[:ACTOR_LENGTH],
        token=where.token,
        source=where.source,
        action=action,
        kind=action.partition(".")[0],
        target_id=target.id,
        label=target.label[:LABEL_LENGTH],
        before=before,
        after=after,
    )
