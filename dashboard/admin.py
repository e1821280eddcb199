"""Sign-in links in Django's admin: who may sign in by one and until when, never the link itself."""

from django.contrib import admin
from django.http import HttpRequest

from dashboard.models import SignInLink


@admin.register(SignInLink)
class SignInLinkAdmin(admin.ModelAdmin):
    """To look at, and to take a link back by deleting it."""

    list_display = ["user", "expires_at", "used_at"]
    fields = ["user", "expires_at", "used_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: SignInLink | None = None) -> bool:
        return False
