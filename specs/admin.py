"""Projects and specs in Django's admin, under the rules that hold everywhere else.

A spec's text is written on its page or in its file, where it is checked as a whole; the admin shows the
chunks and changes what is independent of them.
"""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from specs.editing import check_project
from specs.errors import SpecInvalid
from specs.models import Chunk, Project, Spec

if TYPE_CHECKING:
    ProjectAdminBase = admin.ModelAdmin[Project]
    SpecAdminBase = admin.ModelAdmin[Spec]
    ChunkAdminBase = admin.ModelAdmin[Chunk]
    ChunkInlineBase = admin.TabularInline[Chunk, Spec]
    ProjectFormBase = forms.ModelForm[Project]
else:
    ProjectAdminBase = SpecAdminBase = ChunkAdminBase = admin.ModelAdmin
    ChunkInlineBase = admin.TabularInline
    ProjectFormBase = forms.ModelForm


class ProjectForm(ProjectFormBase):
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
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                data = check_project(self.instance, data)
            except SpecInvalid as error:
                for path, message in error.errors:
                    field = path.partition(".")[0]
                    self.add_error(field if field in self.fields else None, message)
        return data


@admin.register(Project)
class ProjectAdmin(ProjectAdminBase):
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
class ChunkAdmin(ChunkAdminBase):
    list_display = ["title", "spec", "ordinal", "key", "executor", "timeout"]
    list_select_related = ["spec"]
    search_fields = ["title", "key", "spec__title"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
