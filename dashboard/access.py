"""Who may see and do what: the only place that decides it.

Everybody who has signed in is at least a viewer and may look, in a group or not. Operators act. Administrators, which
staff and superusers are too, look after accounts, tokens, the audit log and Django's admin. A request with an API token
may do what both the token's scope and its account's role allow.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.models import User as Account
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.models import ApiToken, Scope, Webhook, WebhookDelivery
from queue_app.models import WorkerQueue
from specs.models import AgentProfile, Project, Spec
from workers.models import Artifact, Attempt, Node, Question, Worker

VIEWERS, OPERATORS, ADMINS = "viewer", "operator", "admin"
ROLES = (VIEWERS, OPERATORS, ADMINS)  # the names of the groups, each may do what those before it may
ROLE_OF_SCOPE = {Scope.READ: VIEWERS, Scope.ACT: OPERATORS, Scope.ADMIN: ADMINS}
ONLY_OPERATORS = "Only operators may do this."
ONLY_ADMINS = "Only administrators may do this."
User = AbstractBaseUser | AnonymousUser
M = TypeVar("M", bound=Model)
View = Callable[..., HttpResponseBase]


def role_of_account(user: Any) -> str:
    """The highest role of an account: viewer, operator or admin; "" for nobody and for an account that is closed."""
    if not user.is_authenticated or not user.is_active:
        return ""
    if user.is_superuser or user.is_staff:
        return ADMINS
    found = set(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
    return max(found, key=ROLES.index, default=VIEWERS)


def role(user: Any) -> str:
    """What this request's user may be, as the page's body carries it: the account's role within the token's scope."""
    if not hasattr(user, "_specyard_role"):  # asked several times for one page
        own, token = role_of_account(user), getattr(user, "token", None)
        allowed = ROLE_OF_SCOPE[token.scope] if token is not None else own
        user._specyard_role = min(own, allowed, key=ROLES.index) if own else ""
    return str(user._specyard_role)


def forget_role(user: Any) -> None:
    """To be called where the role of an account has changed, or the user gets a token."""
    if hasattr(user, "_specyard_role"):  # of a lazy user it is kept by the one within
        del user._specyard_role


def may_look(user: Any) -> bool:
    """Whether this user may see the yard."""
    return role(user) != ""


def may_act(user: Any) -> bool:
    """Whether this user may change something."""
    return role(user) in (OPERATORS, ADMINS)


def may_administer(user: Any) -> bool:
    """Whether this user may look after accounts, everybody's tokens, secrets, the audit log and Django's admin."""
    return role(user) == ADMINS


class Accounts(ModelBackend):
    """Django's accounts; Django's own permissions, which only its admin asks for, follow from the role."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return may_administer(user_obj) or super().has_perm(user_obj, perm, obj)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return may_administer(user_obj) or super().has_module_perms(user_obj, app_label)


def account_of(request: HttpRequest) -> Account:
    """The account of whoever asks, whom a guard has let in."""
    assert isinstance(request.user, Account)
    return request.user


def looking(*methods: str) -> Callable[[View], View]:
    """A view for everybody who has signed in; only by these methods (GET unless told)."""
    return _guard(methods or ("GET", "HEAD"), may_look, "")


def acting(*methods: str) -> Callable[[View], View]:
    """A view for operators; only by these methods (POST unless told)."""
    return _guard(methods or ("POST",), may_act, ONLY_OPERATORS)


def administering(*methods: str) -> Callable[[View], View]:
    """A view for administrators; only by these methods (POST unless told)."""
    return _guard(methods or ("POST",), may_administer, ONLY_ADMINS)


def _guard(methods: tuple[str, ...], allowed: Callable[[Any], bool], refusal: str) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if not allowed(request.user):
                raise PermissionDenied(refusal)
            return view(request, *args, **kwargs)

        found = require_http_methods(list(methods))(guarded)
        found.methods = frozenset(methods)  # type: ignore[attr-defined]
        return found

    return decorate


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page; a fragment's request makes the whole page go there."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": reverse("sign-in")})
    target = request.get_full_path() if request.method == "GET" else "/"
    return redirect(f"{reverse('sign-in')}?{urlencode({'next': target})}")


# Every object that a page shows or changes is fetched here. Today everybody sees all of the yard.


def _found(rows: type[M] | QuerySet[M], pk: int) -> M:
    """The row. Raises Http404 that names what there is not."""
    queryset = rows if isinstance(rows, QuerySet) else rows._default_manager.all()
    try:
        return queryset.get(pk=pk)
    except ObjectDoesNotExist:
        raise Http404(f"There is no {queryset.model._meta.verbose_name} {pk}.") from None


def get_worker(user: User, pk: int) -> Worker:
    """The worker, or Http404."""
    return _found(Worker.objects.select_related("project", "node", "spec"), pk=pk)


def get_attempt(user: User, pk: int) -> Attempt:
    """The attempt with its chunk, or Http404."""
    return _found(Attempt.objects.select_related("chunk__worker"), pk=pk)


def get_artifact(user: User, pk: int) -> Artifact:
    """The artifact with its attempt, or Http404."""
    return _found(Artifact.objects.select_related("attempt__chunk__worker"), pk=pk)


def get_question(user: User, pk: int) -> Question:
    """The question to people, or Http404."""
    return _found(Question, pk=pk)


def get_entry(user: User, pk: int) -> WorkerQueue:
    """The queue entry with its spec, or Http404 when it has been removed or started."""
    return _found(WorkerQueue.objects.select_related("spec__project"), pk=pk)


def get_spec(user: User, pk: int) -> Spec:
    """The spec, or Http404."""
    return _found(Spec.objects.select_related("project"), pk=pk)


def get_project(user: User, pk: int) -> Project:
    """The project, or Http404."""
    return _found(Project, pk=pk)


def get_profile(user: User, pk: int) -> AgentProfile:
    """The agent profile, or Http404."""
    return _found(AgentProfile, pk=pk)


def get_node(user: User, pk: int) -> Node:
    """The machine, or Http404."""
    return _found(Node, pk)


def get_account(user: User, pk: int) -> Account:
    """The account, or Http404. Only for administrators."""
    return _found(Account, pk=pk)


def get_token(user: Any, pk: int) -> ApiToken:
    """A token of the user's own, or anybody's for administrators; else Http404."""
    tokens = ApiToken.objects.select_related("user")
    return _found(tokens if may_administer(user) else tokens.filter(user=user), pk=pk)


def get_webhook(user: Any, pk: int) -> Webhook:
    """The webhook, or Http404. Only for administrators."""
    return _found(Webhook.objects.select_related("project"), pk=pk)


def get_delivery(user: Any, pk: int) -> WebhookDelivery:
    """What is, or was, sent to a webhook, or Http404. Only for administrators."""
    return _found(WebhookDelivery.objects.select_related("webhook"), pk=pk)
