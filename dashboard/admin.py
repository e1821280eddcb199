"""The dashboard's own rows in Django's admin, and accounts as far as they are not looked after on their page.

Never a secret: of links and tokens there are only digests. Entries of the audit log can be looked at, nothing else.
"""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from dashboard.models import ApiToken, AuditEntry, Failures, KeptAnswer, SignInLink, Webhook, WebhookDelivery
from specs.read_only_admin import ReadOnlyAdmin

if TYPE_CHECKING:
    UserAdminBase = UserAdmin[User]
else:
    UserAdminBase = UserAdmin

admin.site.unregister(User)
admin.site.unregister(Group)  # the groups are the roles: there are three, and a page that gives them


@admin.register(User)
class AccountAdmin(UserAdminBase):
    """Name and address. Roles, passwords and closing are on the page Accounts, where the last administrator is kept."""

    fieldsets = [(None, {"fields": ["username", "first_name", "last_name", "email", "last_login", "date_joined"]})]
    readonly_fields = ["username", "last_login", "date_joined"]
    list_display = ["username", "email", "is_active", "last_login"]
    list_filter = ["is_active", "groups"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """On the page Accounts."""
        return redirect("account", pk=int(id))


@admin.register(SignInLink)
class SignInLinkAdmin(ReadOnlyAdmin):
    """To look at, and to take a link back by deleting it."""

    list_display = ["user", "expires_at", "used_at"]
    fields = ["user", "expires_at", "used_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("dashboard.delete_signinlink")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ["name", "prefix", "user", "scope", "expires_at", "last_used_at", "revoked_at"]
    list_select_related = ["user"]
    exclude = ["digest"]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "source", "action", "label"]


@admin.register(Failures)
class FailuresAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "blocked_until"]


@admin.register(KeptAnswer)
class KeptAnswerAdmin(ReadOnlyAdmin):
    """What was answered may be anything that its account could see: only that, not what."""

    list_display = ["key", "user", "begun_at", "code"]
    fields = ["key", "user", "begun_at", "code"]


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    """To look at; the page Webhooks changes them."""

    list_display = ["url", "active", "failures", "cursor", "created_by"]
    exclude = ["secret"]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ["uid", "webhook", "kind", "seq", "result", "attempts", "last_at"]
    list_select_related = ["webhook"]
