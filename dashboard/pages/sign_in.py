"""Signing in, with a password or with the link that works once, and signing out."""

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from dashboard import access, signin, slowing
from dashboard.addresses import address_of, is_this_machine
from specs.acting import Target, record

BACKEND = "dashboard.access.Accounts"


class SignIn(LoginView):
    """The form. Whoever fails often waits before another try is looked at."""

    template_name = "sign_in.html"
    redirect_authenticated_user = True
    tried: slowing.Tried

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            self.tried = slowing.count(slowing.passwords(request, request.POST.get("username", "")))
        except slowing.Slowed as slowed:
            context = self.get_context_data(form=self.get_form_class()(request), slowed=str(slowed))
            headers = {"Retry-After": str(slowed.seconds)}
            return self.render_to_response(context, status=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        slowing.forgive(self.tried)
        response = super().form_valid(form)
        _record(self.request, form.get_user(), "password")
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Only the name of an account is kept: what else was typed as a name may be a password."""
        name = User.normalize_username(form.data.get("username", "").replace("\0", ""))
        known = User.objects.filter(username=name).first()
        target, facts = known or Target(None, "unknown"), {"how": "password", "address": address_of(self.request)}
        record("account.sign_in_failed", target, after=facts)
        return super().form_invalid(form)


class SignOut(LogoutView):
    """POST only, as Django has it."""

    next_page = "sign-in"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            record("account.sign_out", access.account_of(request))
        return super().post(request, *args, **kwargs)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """The link that `specyard up` prints, or an administrator hands out. A used or outdated one leads to the form.

    GET shows a button, whose POST signs in: programs that look at links in messages must not use them up.
    """
    user = signin.redeem(token) if request.method == "POST" else signin.find(token)
    if user is None:
        messages.error(
            request, "This sign-in link has been used or is too old. Ask for a new one, or use your password."
        )
        return redirect("sign-in")
    if request.method == "POST":
        login(request, user, backend=BACKEND)
        _record(request, user, "link")
        return redirect("workers")
    # No program of others reads links to this machine's own address, so the page may press its button itself.
    response = render(request, "sign_in_link.html", {"account": user, "at_once": is_this_machine(request)})
    # The token is in the address: it goes to nobody as a referrer. "no-referrer" would take the form's Origin, too.
    response["Referrer-Policy"] = "strict-origin"
    return response


def _record(request: HttpRequest, user: User, how: str) -> None:
    facts = {"how": how, "address": address_of(request)}
    record("account.sign_in", user, after=facts, by=user.get_username())
