"""Django's admin for administrators, with the one sign-in that there is."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from dashboard import access
from specs.acting import record


class Site(admin.AdminSite):
    """Opens for the role admin, whatever Django's own permissions say."""

    site_header = site_title = "Specyard administration"
    site_url = "/workers"

    def has_permission(self, request: HttpRequest) -> bool:
        return access.may_administer(request.user)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Signs out, from everything."""
        if request.method == "POST" and request.user.is_authenticated:
            record("account.sign_out", access.account_of(request))
        return super().logout(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The page that changes one's password, which slows down who guesses the old one."""
        return redirect("account-password")

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The sign-in page, which slows down who guesses; a form of its own would not."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied(access.ONLY_ADMINS)
        target = request.GET.get("next") or reverse("admin:index")
        return redirect(f"{reverse('sign-in')}?{urlencode({'next': target})}")
