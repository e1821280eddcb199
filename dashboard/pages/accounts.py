"""Accounts, for administrators: the list, a new one, its role, password and link, closing; and one's own password."""

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from dashboard import access, accounts, slowing
from dashboard.accounts import AccountClosed, LastAdministrator
from dashboard.models import ApiToken
from dashboard.pages.page import go, show
from queue_app.errors import BadValue

MOST = 500  # accounts on the page


@access.administering("GET", "HEAD", "POST")
def index(request: HttpRequest) -> HttpResponse:
    """GET: every account with its role. POST: make one."""
    form = {"name": request.POST.get("name", ""), "role": request.POST.get("role", access.VIEWERS)}
    if request.method != "POST":
        return _list(request, form)
    try:
        made = accounts.create(form["name"], form["role"])
    except BadValue as error:
        return _list(request, form, error)
    messages.success(request, f"Added {made.username}: set a password, or give it a link to sign in")
    return redirect("account", pk=made.pk)


def _list(request: HttpRequest, form: dict[str, str], error: BadValue | None = None) -> HttpResponse:
    alive = Q(api_tokens__revoked_at=None) & (
        Q(api_tokens__expires_at=None) | Q(api_tokens__expires_at__gt=timezone.now())
    )
    users = User.objects.prefetch_related("groups").order_by("-is_active", "username")
    found = list(users.annotate(tokens=Count("api_tokens", filter=alive))[: MOST + 1])
    rows = [(user, accounts.role_of(user)) for user in found[:MOST]]
    context = {"rows": rows, "more": len(found) > MOST, "form": form, "roles": access.ROLES, "errors": _errors(error)}
    status = HTTPStatus.BAD_REQUEST if error else HTTPStatus.OK
    return show(request, "accounts/index.html", context, section="accounts", status=status)


@never_cache
@access.administering("GET", "HEAD")
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One account and what can be done to it."""
    return _detail(request, access.get_account(request.user, pk))


def _detail(request: HttpRequest, account: User, error: Exception | None = None, link: str = "") -> HttpResponse:
    context: dict[str, Any] = {
        "account": account,
        "account_role": accounts.role_of(account),
        "roles": access.ROLES,
        "tokens": ApiToken.objects.filter(user=account)[:MOST],
        "errors": _errors(error),
        "link": link,
    }
    status = HTTPStatus.OK if error is None else HTTPStatus.BAD_REQUEST
    return show(request, "accounts/detail.html", context, section="accounts", status=status)


@access.administering()
def role(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the account another role."""
    account, wanted = access.get_account(request.user, pk), request.POST.get("role", "")
    try:
        accounts.set_role(account, wanted)
    except (BadValue, LastAdministrator) as error:
        return _detail(request, account, error)
    messages.success(request, f"{account.username} is {wanted} now")
    return redirect("account", pk=pk)


@access.administering()
def password(request: HttpRequest, pk: int) -> HttpResponse:
    """Set the account's password, which ends its sessions."""
    account = access.get_account(request.user, pk)
    try:
        accounts.set_password(account, request.POST.get("password", ""))
    except BadValue as error:
        return _detail(request, account, error)
    if account.pk == request.user.pk:
        update_session_auth_hash(request, account)
    messages.success(request, f"The password of {account.username} was set; its other sessions have ended")
    return redirect("account", pk=pk)


@never_cache
@access.administering()
def link(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a link that signs the account in once, and show it, here and nowhere else."""
    account = access.get_account(request.user, pk)
    try:
        path = accounts.give_link(account)
    except AccountClosed as error:
        return _detail(request, account, error)
    return _detail(request, account, link=request.build_absolute_uri(path))


@access.administering()
def deactivate(request: HttpRequest, pk: int) -> HttpResponse:
    """Close the account."""
    account = access.get_account(request.user, pk)
    try:
        accounts.deactivate(account)
    except LastAdministrator as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Closed {account.username}")
    return go(request, reverse("account", args=[pk]))


@access.administering()
def activate(request: HttpRequest, pk: int) -> HttpResponse:
    """Open the account again."""
    account = access.get_account(request.user, pk)
    accounts.activate(account)
    messages.success(request, f"Opened {account.username}")
    return redirect("account", pk=pk)


@access.looking("GET", "HEAD", "POST")
def own_password(request: HttpRequest) -> HttpResponse:
    """Change one's own password by the old one; an account that has none, because it came by a link, sets one."""
    user = access.account_of(request)
    error: Exception | None = None
    if request.method == "POST":
        try:
            accounts.change_own_password(request, request.POST.get("old", ""), request.POST.get("password", ""))
        except (BadValue, slowing.Slowed) as refusal:
            error = refusal
        else:
            messages.success(request, "Your password was changed; your other sessions have ended")
            return redirect("account-password")
    context = {"has_one": user.has_usable_password(), "errors": _errors(error)}
    status = HTTPStatus.BAD_REQUEST if error else HTTPStatus.OK
    response = show(request, "accounts/password.html", context, section="account", status=status)
    if isinstance(error, slowing.Slowed):
        response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        response["Retry-After"] = str(error.seconds)
    return response


def _errors(error: Exception | None) -> dict[str, str]:
    """The message by field; under "" where it is about none."""
    if error is None:
        return {}
    field, colon, why = str(error).partition(": ")
    return {field: why} if isinstance(error, BadValue) and colon else {"": str(error)}
