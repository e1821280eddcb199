"""Projects and specs in Django's admin, under the rules that hold everywhere else.

A spec's text is written on its page or in its file, where it is checked as a whole; the admin shows the
chunks and changes what is independent of them.
"""

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from specs.editing import check_project
from specs.encryption import encrypt
from specs.errors import KeyUnusable, SpecInvalid
from specs.models import AgentProfile, Chunk, Project, Secret, Spec
from specs.profiles_editing import FIELDS, check_profile, who_needs
from specs.read_only_admin import ReadOnlyAdmin
from specs.secrets import change_secrets, check_change

if TYPE_CHECKING:
    ProjectAdminBase = admin.ModelAdmin[Project]
    SpecAdminBase = admin.ModelAdmin[Spec]
    ChunkInlineBase = admin.TabularInline[Chunk, Spec]
    ProjectFormBase = forms.ModelForm[Project]
    ProfileAdminBase = admin.ModelAdmin[AgentProfile]
    ProfileFormBase = forms.ModelForm[AgentProfile]
else:
    ProjectAdminBase = SpecAdminBase = ProfileAdminBase = admin.ModelAdmin
    ChunkInlineBase = admin.TabularInline
    ProjectFormBase = ProfileFormBase = forms.ModelForm


def _mark(form: forms.BaseForm, error: SpecInvalid, **fields: str) -> None:
    """Put the messages of our own checks beside the fields that they name, or that `fields` names for them."""
    for path, message in error.errors:
        name = re.split(r"[.\[]", path)[0]
        field = fields.get(name, name)
        form.add_error(field if field in form.fields else None, message)


class WriteOnly(forms.Textarea):
    """What was typed into it is not shown again."""

    def format_value(self, value: Any) -> None:
        return None


class SecretsForm(forms.Form):
    """Of whatever has secrets: values go in and never come out."""

    new_secrets = forms.CharField(
        label="Secrets",
        required=False,
        widget=WriteOnly(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        help_text="One NAME=value a line sets a secret, NAME= removes it; those that are not named stay. "
        "Values of several lines are set on the page of the secrets.",
    )

    def change_of_secrets(self) -> dict[str, str | None]:
        """What shall become of them: new values, None for those that go. Raises SpecInvalid."""
        lines = [line for line in (self.cleaned_data.get("new_secrets") or "").splitlines() if line.strip()]
        pairs = [(name.strip(), value) for name, _, value in (line.partition("=") for line in lines)]
        if not all(name.isidentifier() and "=" in line for (name, _), line in zip(pairs, lines, strict=True)):
            # What stands there may be a value, which must not be sent back.
            raise SpecInvalid([("secrets", "each line must be NAME=value")])
        return {name: value or None for name, value in pairs}

    def check_secrets(self, owner: Project | AgentProfile) -> dict[str, str | None]:
        """The same, if they could be stored now. Raises SpecInvalid."""
        change = self.change_of_secrets()
        check_change(owner, change)
        try:
            if any(change.values()):
                encrypt("")
        except KeyUnusable as error:
            raise SpecInvalid([("secrets", str(error))]) from error
        return change


class SecretsAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # of projects and of profiles
    """Stores the secrets of a SecretsForm, and shows their names."""

    readonly_fields = ["stored_secrets"]

    @admin.display(description="Stored secrets")
    def stored_secrets(self, owner: Project | AgentProfile) -> str:
        names = [secret.name for secret in owner.secrets.all()] if owner.pk else []
        return ", ".join(names) or "none"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        change_secrets(obj, form.change_of_secrets(), by=request.user.get_username())


@admin.register(Secret)
class SecretAdmin(ReadOnlyAdmin):
    """To look at: names, never values. They are written with their project or profile."""

    list_display = ["name", "project", "profile", "changed_at", "changed_by"]
    fields = ["name", "project", "profile", "changed_at", "changed_by"]
    readonly_fields = ["name", "project", "profile", "changed_at", "changed_by"]
    list_select_related = ["project", "profile"]
    search_fields = ["name"]


class ProjectForm(SecretsForm, ProjectFormBase):
    """Obeys the checks of `specs.editing`."""

    class Meta:
        model = Project
        fields = [
            "name",
            "directory",
            "default_branch",
            "isolation",
            "setup_command",
            "teardown_command",
            "review_command",
            "environment",
            "max_workers",
            "default_executor",
            "default_profile",
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                values = {name: data[name] for name in ProjectForm.Meta.fields}
                self.check_secrets(self.instance)
                data = {**check_project(self.instance, values), "new_secrets": data.get("new_secrets")}
            except SpecInvalid as error:
                _mark(self, error, secrets="new_secrets")
        return data


@admin.register(Project)
class ProjectAdmin(SecretsAdmin, ProjectAdminBase):
    form = ProjectForm
    list_display = ["name", "directory", "isolation", "max_workers", "updated_at"]
    list_filter = ["isolation"]
    search_fields = ["name", "directory"]
    ordering = ["name"]


class ChunkInline(ChunkInlineBase):
    model = Chunk
    fields = ["ordinal", "key", "title", "executor", "timeout", "depends_on"]
    readonly_fields = ["ordinal", "key", "title", "executor", "timeout", "depends_on"]
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Spec)
class SpecAdmin(SpecAdminBase):
    list_display = ["title", "project", "key", "priority", "on_failure", "max_attempts", "updated_at"]
    list_filter = ["project", "on_failure"]
    list_select_related = ["project"]
    search_fields = ["title", "key"]
    ordering = ["project__name", "key"]
    fields = [
        "project",
        "key",
        "title",
        "description",
        "priority",
        "on_failure",
        "max_attempts",
        "touches",
        "source_path",
        "imported_at",
    ]
    readonly_fields = ["project", "key", "touches", "source_path", "imported_at"]
    inlines = [ChunkInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Names who needs the spec on the page that asks for confirmation, and so refuses."""
        to_delete, counts, missing_permissions, protected = super().get_deleted_objects(objs, request)
        reasons = [f"{spec}: {reason}" for spec in objs if (reason := spec.in_use())]
        return to_delete, counts, missing_permissions - {"chunk"}, [*protected, *reasons]


@admin.register(Chunk)
class ChunkAdmin(ReadOnlyAdmin):
    list_display = ["title", "spec", "ordinal", "key", "executor", "timeout"]
    list_select_related = ["spec"]
    search_fields = ["title", "key", "spec__title"]


class ProfileForm(SecretsForm, ProfileFormBase):
    """Obeys the checks of `specs.profiles_editing`."""

    class Meta:
        model = AgentProfile
        fields = FIELDS

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                values = {name: data[name] for name in FIELDS}
                checked = check_profile(self.instance, values, self.check_secrets(self.instance))
                data = {**checked, "new_secrets": data.get("new_secrets")}
            except SpecInvalid as error:
                _mark(self, error, secrets="new_secrets")
        return data


@admin.register(AgentProfile)
class AgentProfileAdmin(SecretsAdmin, ProfileAdminBase):
    form = ProfileForm
    list_display = ["name", "title", "command", "model", "permission", "max_sessions", "updated_at"]
    list_filter = ["permission", "is_shipped"]
    search_fields = ["name", "title", "command"]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Names who needs the profile on the page that asks for confirmation, and so refuses."""
        to_delete, counts, missing_permissions, protected = super().get_deleted_objects(objs, request)
        reasons = [f"{profile}: {reason}" for profile in objs if (reason := who_needs(profile.name))]
        return to_delete, counts, missing_permissions, [*protected, *reasons]
