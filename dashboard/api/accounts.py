"""Accounts of people, for administrators: the list, a new one, its role, password and link, closing; and one's own."""

from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables
from ninja import Query, Router, Schema, Status
from pydantic import Field

from dashboard import access, accounts, signin
from dashboard.api import conditions
from dashboard.api.authentication import ADMINISTERING, IN_PERSON
from dashboard.api.extras import CONDITIONAL, located
from dashboard.api.paging import Body, Page, Paging, Words, by_number, page
from dashboard.api.shapes import Shown, partly

router = Router(tags=["accounts"])
if TYPE_CHECKING:
    RoleName = str
else:
    RoleName = Literal[access.ROLES]
PASSWORD_LENGTH = 1000
SECRET: dict[str, Any] = {"writeOnly": True, "format": "password"}


class AccountOut(Shown):
    """An account; its tokens are at `/api/tokens?account=`."""

    id: int
    name: str
    role: RoleName = Field(description="What it may do while it is open.")
    active: bool = Field(description="false: it is closed, so nobody can sign in by it.")
    has_password: bool = Field(description="Without one it is signed in to by a link.")
    last_sign_in_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, user: User, **own: Any) -> "AccountOut":
        """As it is."""
        return cls.copied(
            user,
            name=user.get_username(),
            role=accounts.role_of(user),
            active=user.is_active,
            has_password=user.has_usable_password(),
            last_sign_in_at=user.last_login,
            created_at=user.date_joined,
            **own,
        )


class OwnAccountOut(AccountOut):
    """Your account, and what this request may do."""

    allowed: RoleName = Field(description="Your role, as far as the scope of the token that asks goes.")


class AccountFilter(Schema):
    """Which accounts."""

    name: Words = Field("", description="The one with exactly this name.")
    active: bool | None = Field(None, description="Only those that are open, or only those that are closed.")


class AccountIn(Body):
    """A new account."""

    name: str = Field(
        max_length=accounts.NAME_LENGTH, description="Letters, digits and @ . + - _", examples=["mira"], min_length=1
    )
    role: RoleName = Field("viewer", description="What it may do.")


class AccountState(Body):
    """What can be changed of an account."""

    role: RoleName = Field(description="This role and no other.")
    active: bool = Field(description="false closes it: its sessions end, its tokens and links are revoked for good.")


AccountChange = partly("AccountChange", AccountState, "What shall become different; what is left out stays.")


class PasswordIn(Body):
    """A new password."""

    password: str = Field(max_length=PASSWORD_LENGTH, json_schema_extra=SECRET)


class OwnPasswordIn(PasswordIn):
    """A new password, and the one before."""

    old: str = Field(
        "", max_length=PASSWORD_LENGTH, description="Your password now; without one, nothing.", json_schema_extra=SECRET
    )


class LinkOut(Schema):
    """A link that signs in once."""

    url: str = Field(description="Whoever opens it signs in as the account. It is shown here and never again.")
    expires_in: int = Field(description="For how many seconds it works.")


@router.get("/accounts", auth=ADMINISTERING, response=Page[AccountOut], summary="List accounts")
def list_accounts(request: HttpRequest, chosen: Query[AccountFilter], paging: Query[Paging]) -> Any:
    """The accounts in the order in which they were made, those that are closed too."""
    found = User.objects.prefetch_related("groups")
    if chosen.name:
        found = found.filter(username=chosen.name)
    if chosen.active is not None:
        found = found.filter(is_active=chosen.active)
    rows, following = by_number(found, paging)
    return page([AccountOut.of(user) for user in rows], following)


@router.post(
    "/accounts",
    auth=ADMINISTERING,
    response={201: AccountOut},
    summary="Add an account",
    openapi_extra=located(HTTPStatus.CREATED),
)
def create_account(request: HttpRequest, response: HttpResponse, body: AccountIn) -> Status[AccountOut]:
    """Add an account without a password: set one, or give it a link to sign in. 422 when its name is taken."""
    user = accounts.create(body.name, body.role)
    response["Location"] = f"/api/accounts/{user.pk}"
    return Status(HTTPStatus.CREATED, AccountOut.of(user))


@router.get("/accounts/{int:id}", auth=ADMINISTERING, response=AccountOut, summary="Get an account")
def get_account(request: HttpRequest, id: int) -> AccountOut:
    """One account."""
    return AccountOut.of(access.get_account(request.user, id))


@router.patch(
    "/accounts/{int:id}",
    auth=ADMINISTERING,
    response=AccountOut,
    summary="Change an account",
    openapi_extra=CONDITIONAL,
)
def update_account(request: HttpRequest, id: int, body: AccountChange) -> AccountOut:  # type: ignore[valid-type]
    """Give it another role, close it, or open it again. 409 for the last active administrator.

    Opened again, its old sessions, tokens and links stay gone.
    """
    facts: dict[str, Any] = body.model_dump(exclude_unset=True)  # type: ignore[attr-defined]

    def get() -> User:
        return access.get_account(request.user, id)

    def verb(user: User) -> None:
        if "role" in facts:
            accounts.set_role(user, facts["role"])
        if "active" in facts:
            (accounts.activate if facts["active"] else accounts.deactivate)(user)

    conditions.change(request, get, AccountOut.of, verb, lock=accounts.lock)
    return AccountOut.of(get())


@router.put("/accounts/{int:id}/password", auth=ADMINISTERING, response={204: None}, summary="Set a password")
@sensitive_variables("body")
def set_account_password(request: HttpRequest, id: int, body: PasswordIn) -> Status[None]:
    """Set it, which ends every session of the account, but yours that asks, and its links to sign in."""
    account = access.get_account(request.user, id)
    accounts.set_password(account, body.password)
    if account.pk == request.user.pk and getattr(request.user, "token", None) is None:
        update_session_auth_hash(request, account)
    return Status(HTTPStatus.NO_CONTENT, None)


@router.post(
    "/accounts/{int:id}/link", auth=ADMINISTERING, response={201: LinkOut}, summary="Make a link that signs in once"
)
def create_sign_in_link(request: HttpRequest, response: HttpResponse, id: int) -> Status[LinkOut]:
    """Make a link that signs the account in without a password, once. 409 when the account is closed."""
    path = accounts.give_link(access.get_account(request.user, id))
    response["Cache-Control"] = "no-store"
    url, seconds = request.build_absolute_uri(path), int(signin.LIFETIME.total_seconds())
    return Status(HTTPStatus.CREATED, LinkOut(url=url, expires_in=seconds))


@router.get("/account", response=OwnAccountOut, summary="Get your account")
def get_own_account(request: HttpRequest) -> AccountOut:
    """Whose token or session this is, and what it may do."""
    return OwnAccountOut.of(access.account_of(request), allowed=access.role(request.user))


@router.put("/account/password", auth=IN_PERSON, response={204: None}, summary="Change your password")
@sensitive_variables("body")
def set_own_password(request: HttpRequest, body: OwnPasswordIn) -> Status[None]:
    """Change it by the one before, which ends your other sessions; an account without one sets its first.

    Only in a session: a token that is found by somebody must not become a password.
    """
    accounts.change_own_password(request, body.old, body.password)
    return Status(HTTPStatus.NO_CONTENT, None)
