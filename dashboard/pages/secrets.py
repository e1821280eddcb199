"""The secrets of a project or of an agent profile: their names for everybody, their values for nobody.

Administrators set, replace and delete them; what was typed is never sent back.
"""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from dashboard import access
from dashboard.pages.page import explains_refusals, go, show
from specs.agents import AgentProfile
from specs.errors import SecretUnreadable, SpecInvalid
from specs.models import Project
from specs.secrets import kind_of, remove_secret, set_secret

Owner = Project | AgentProfile


def _index(request: HttpRequest, owner: Owner) -> HttpResponse:
    """GET: the names. POST: set one, or replace its value."""
    if request.method != "POST":
        return _page(request, owner)
    if not access.may_administer(request.user):
        raise PermissionDenied(access.ONLY_ADMINS)
    return _set(request, owner)


@sensitive_variables("value")
def _set(request: HttpRequest, owner: Owner) -> HttpResponse:
    name = request.POST.get("name", "").strip()
    value = request.POST.get("value", "").replace("\r\n", "\n").rstrip("\n")  # browsers send CR LF
    try:
        set_secret(owner, name, value, by=request.user.get_username())
    except SpecInvalid as error:
        return _page(request, owner, name=name, errors=dict(reversed(error.errors)))
    except SecretUnreadable as error:  # there is no key to encrypt it with
        return _page(request, owner, name=name, errors={"value": str(error)})
    messages.success(request, f"Saved {name}")
    return redirect(f"{kind_of(owner)}-secrets", owner.pk)


def _page(request: HttpRequest, owner: Owner, *, name: str = "", errors: dict[str, str] | None = None) -> HttpResponse:
    kind = kind_of(owner)
    context = {
        "owner": owner,
        "kind": kind,
        "back": reverse(kind, args=[owner.pk]),
        "rows": [(secret, reverse(f"{kind}-secret", args=[owner.pk, secret.name])) for secret in owner.secrets.all()],
        "overridden": set(owner.environment),
        "name": name,
        "errors": errors or {},
        "may_edit": access.may_administer(request.user),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return show(request, "secrets/index.html", context, section=f"{kind}s", status=status)


def _remove(request: HttpRequest, owner: Owner, name: str) -> HttpResponse:
    if not remove_secret(owner, name, by=request.user.get_username()):
        raise Http404("There is no such secret.")
    messages.success(request, f"Deleted {name}")
    return go(request, reverse(f"{kind_of(owner)}-secrets", args=[owner.pk]))


@never_cache
@sensitive_post_parameters("value")
@access.looking("GET", "HEAD", "POST")
def of_project(request: HttpRequest, pk: int) -> HttpResponse:
    """The secrets of a project."""
    return _index(request, access.get_project(request.user, pk))


@never_cache
@sensitive_post_parameters("value")
@access.looking("GET", "HEAD", "POST")
def of_profile(request: HttpRequest, pk: int) -> HttpResponse:
    """The secrets of an agent profile."""
    return _index(request, access.get_profile(request.user, pk))


@access.administering("DELETE")
@explains_refusals
def one_of_project(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """DELETE: delete one."""
    return _remove(request, access.get_project(request.user, pk), name)


@access.administering("DELETE")
@explains_refusals
def one_of_profile(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """DELETE: delete one."""
    return _remove(request, access.get_profile(request.user, pk), name)
