"""Who may see and do what: the only place that decides it.

Everybody who has signed in may look. Operators act: staff, and members of the group "operator".
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from queue_app.models import WorkerQueue
from specs.models import AgentProfile, Project, Spec
from workers.models import Attempt, Question, Worker

OPERATORS = "operator"
User = AbstractBaseUser | AnonymousUser
View = Callable[..., HttpResponse]


def may_act(user: Any) -> bool:
    """Whether this user may change something."""
    if not user.is_authenticated or not user.is_active:
        return False
    return bool(user.is_staff or user.is_superuser or user.groups.filter(name=OPERATORS).exists())


def role(user: Any) -> str:
    """`operator` or `viewer`, as the page's body carries it."""
    return "operator" if may_act(user) else "viewer"


def looking(*methods: str) -> Callable[[View], View]:
    """A view for everybody who has signed in; only by these methods (GET unless told)."""
    return _guard(methods or ("GET", "HEAD"), lambda user: True)


def acting(*methods: str) -> Callable[[View], View]:
    """A view for operators; only by these methods (POST unless told)."""
    return _guard(methods or ("POST",), may_act)


def _guard(methods: tuple[str, ...], allowed: Callable[[Any], bool]) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if not allowed(request.user):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return require_http_methods(list(methods))(guarded)

    return decorate


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """The sign-in page; a fragment's request makes the whole page go there."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": reverse("sign-in")})
    target = request.get_full_path() if request.method == "GET" else "/"
    return redirect(f"{reverse('sign-in')}?{urlencode({'next': target})}")


# Every object that a page shows or changes is fetched here. Today everybody sees all of the yard.


def get_worker(user: User, pk: int) -> Worker:
    """The worker, or Http404."""
    return get_object_or_404(Worker.objects.select_related("project", "node", "spec"), pk=pk)


def get_attempt(user: User, pk: int) -> Attempt:
    """The attempt with its chunk, or Http404."""
    return get_object_or_404(Attempt.objects.select_related("chunk"), pk=pk)


def get_question(user: User, pk: int) -> Question:
    """The question to people, or Http404."""
    return get_object_or_404(Question, pk=pk)


def get_entry(user: User, pk: int) -> WorkerQueue:
    """The queue entry with its spec, or Http404 when it has been removed or started."""
    return get_object_or_404(WorkerQueue.objects.select_related("spec__project"), pk=pk)


def get_spec(user: User, pk: int) -> Spec:
    """The spec, or Http404."""
    return get_object_or_404(Spec.objects.select_related("project"), pk=pk)


def get_project(user: User, pk: int) -> Project:
    """The project, or Http404."""
    return get_object_or_404(Project, pk=pk)


def get_profile(user: User, pk: int) -> AgentProfile:
    """The agent profile, or Http404."""
    return get_object_or_404(AgentProfile, pk=pk)
