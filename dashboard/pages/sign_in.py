"""Signing in, with a password or with the link that works once, and signing out."""

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from dashboard import signin


class SignIn(LoginView):
    """The form."""

    template_name = "sign_in.html"
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """POST only, as Django has it."""

    next_page = "sign-in"


@require_GET
def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """The link that `specyard up` prints. A used or outdated one leads to the form."""
    if user := signin.redeem(token):
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("workers")
    messages.error(request, "This sign-in link has been used or is too old. Ask for a new one, or use your password.")
    return redirect("sign-in")
