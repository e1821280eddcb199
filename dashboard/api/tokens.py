"""API tokens: one's own, and for administrators everybody's."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from dashboard import access, tokens
from dashboard.api.authentication import LOOKING
from dashboard.api.paging import Body, Page, Paging, Words, by_number, page
from dashboard.models import ApiToken, Scope
from dashboard.models.api_token import NAME_LENGTH

router = Router(tags=["tokens"])
ScopeName = Literal["read", "act", "admin"]
NEEDS_ADMIN_SCOPE = "Only a token with the scope admin, or a person who has signed in, may make and revoke tokens."


class TokenOut(Schema):
    """A token, without its secret."""

    id: int
    name: str
    account: str = Field(alias="user.username")
    prefix: str = Field(description="The first letters of the secret, by which people know it.")
    scope: ScopeName = Field(description="The most that it may do; the account's role limits it further.")
    state: str = Field(description="active, expired or revoked.")
    created_at: datetime
    expires_at: datetime | None = Field(description="null: it does not expire.")
    last_used_at: datetime | None = Field(description="To the minute.")
    revoked_at: datetime | None


class NewToken(TokenOut):
    """A token that has just been made."""

    secret: str = Field(description="What to send as `Authorization: Bearer …`. It is shown here and never again.")


class TokenIn(Body):
    """A token to be made."""

    name: str = Field(max_length=NAME_LENGTH, description="What it is for.", examples=["Nightly build"])
    scope: ScopeName = Field("read", description="Never more than you, or the token that you use, may do.")
    expires_in_days: int | None = Field(
        tokens.USUAL_DAYS, description=f"1 to {tokens.MOST_DAYS}; null, for administrators only: it does not expire."
    )


class Whose(Schema):
    """Whose tokens are listed."""

    account: Words = Field("", description="The name of an account, for administrators; `*`: everybody's.")


@router.get("/tokens", response=Page[TokenOut], summary="List tokens")
def list_tokens(request: HttpRequest, whose: Query[Whose], paging: Query[Paging]) -> Any:
    """Your tokens in the order in which they were made; those that have expired or were revoked, too."""
    found = ApiToken.objects.select_related("user")
    name = whose.account or request.user.get_username()
    if name != request.user.get_username() and not access.may_administer(request.user):
        raise PermissionDenied(access.ONLY_ADMINS)
    rows, following = by_number(found if name == "*" else found.filter(user__username=name), paging)
    return page(list(rows), following)


@router.post("/tokens", auth=LOOKING, response={201: NewToken}, summary="Create a token")
def create_token(request: HttpRequest, response: HttpResponse, given: TokenIn) -> Status[ApiToken]:
    """Make a token for your account. Its secret is in the answer and nowhere else."""
    response["Cache-Control"] = "no-store"  # nor is it kept for who sends the same Idempotency-Key again
    most = _scope_of(request)
    token, secret = tokens.create(access.account_of(request), given.name, given.scope, given.expires_in_days, most=most)
    token.secret = secret  # type: ignore[attr-defined]  # for this answer alone
    return Status(HTTPStatus.CREATED, token)


@router.delete("/tokens/{int:id}", auth=LOOKING, response={204: None}, summary="Revoke a token")
def revoke_token(request: HttpRequest, id: int) -> Status[None]:
    """Revoke a token of yours, or as an administrator anybody's, at once. Repeating it changes nothing."""
    _scope_of(request)
    tokens.revoke(access.get_token(request.user, id))
    return Status(HTTPStatus.NO_CONTENT, None)


def _scope_of(request: HttpRequest) -> str:
    """The scope of the token that asks; "" for a person who has signed in. Raises PermissionDenied below admin."""
    token: ApiToken | None = getattr(request.user, "token", None)
    if token is None:
        return ""
    if token.scope != Scope.ADMIN:
        raise PermissionDenied(NEEDS_ADMIN_SCOPE)
    return token.scope
