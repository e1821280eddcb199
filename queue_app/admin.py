"""The queue and the yard in Django's admin: every edit goes through the verbs of `queue_app.dispatch`."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from queue_app import dispatch, ordering
from queue_app.models import WorkerQueue, Yard
from specs.models import Spec
from workers.errors import WorkerError
from workers.models import Worker
from workers.models.worker import IS_ACTIVE

if TYPE_CHECKING:
    EntryAdminBase = admin.ModelAdmin[WorkerQueue]
    YardAdminBase = admin.ModelAdmin[Yard]
    EntryFormBase = forms.ModelForm[WorkerQueue]
else:
    EntryAdminBase = YardAdminBase = admin.ModelAdmin
    EntryFormBase = forms.ModelForm


def actor(request: HttpRequest) -> str:
    """Who does it, as it is written into events."""
    return str(request.user.get_username())


class EntryForm(EntryFormBase):
    """An entry: its priority, its time, and right before which other one it stands."""

    before = forms.ModelChoiceField(
        WorkerQueue.objects.select_related("spec"), required=False, label="Move before", help_text="Empty: stays."
    )

    class Meta:
        model = WorkerQueue
        fields = ["spec", "priority", "not_before"]

    def clean_spec(self) -> Spec:
        """The spec, if it can be added. Raises forms.ValidationError."""
        spec: Spec = self.cleaned_data["spec"]
        if self.instance.pk is None and WorkerQueue.objects.filter(spec=spec).exists():
            raise forms.ValidationError("This spec is in the queue already.")
        if self.instance.pk is None and Worker.objects.filter(IS_ACTIVE, spec=spec).exists():
            raise forms.ValidationError("A worker runs this spec already.")
        if not spec.chunks.exists():
            raise forms.ValidationError("This spec has no chunks.")
        return spec

    def clean_before(self) -> WorkerQueue | None:
        """The entry before which this one goes. Raises forms.ValidationError."""
        before: WorkerQueue | None = self.cleaned_data["before"]
        if before is not None and before.pk == self.instance.pk:
            raise forms.ValidationError("An entry cannot be moved next to itself.")
        return before


@admin.register(WorkerQueue)
class EntryAdmin(EntryAdminBase):
    form = EntryForm
    list_display = ["spec", "priority", "not_before", "added_by", "added_at"]
    list_select_related = ["spec"]
    search_fields = ["spec__title", "spec__project__name"]
    autocomplete_fields = ["spec"]
    actions = ["move_to_top", "move_to_bottom"]

    def get_readonly_fields(self, request: HttpRequest, obj: WorkerQueue | None = None) -> list[str]:
        return ["spec"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if change:
            kwargs["fields"] = ["priority", "not_before", "before"]
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: WorkerQueue, form: EntryForm, change: bool) -> None:
        if change:
            self._edit(request, obj, form)
        else:
            made = dispatch.enqueue(obj.spec, by=actor(request), priority=obj.priority, not_before=obj.not_before)
            obj.pk = made.pk

    def _edit(self, request: HttpRequest, obj: WorkerQueue, form: EntryForm) -> None:
        by, before = actor(request), form.cleaned_data.get("before")
        if "not_before" in form.changed_data:
            dispatch.set_not_before(obj.pk, obj.not_before, by)
        if "priority" in form.changed_data:
            ordering.set_priority(obj.pk, obj.priority, by)
        if before is not None:
            ordering.move(obj.pk, by, before=before.pk)

    def response_add(
        self, request: HttpRequest, obj: WorkerQueue, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.success(request, f"{obj.spec} was added; it starts when a slot is free.")
        return HttpResponseRedirect(reverse("admin:queue_app_workerqueue_changelist"))

    def delete_model(self, request: HttpRequest, obj: WorkerQueue) -> None:
        dispatch.remove(obj.pk, actor(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[WorkerQueue]) -> None:
        for pk in queryset.values_list("pk", flat=True):
            dispatch.remove(pk, actor(request))

    @admin.action(description="Move to the top", permissions=["change"])
    def move_to_top(self, request: HttpRequest, queryset: QuerySet[WorkerQueue]) -> None:
        for entry in reversed(list(queryset)):
            self._try(request, entry, ordering.move_to_top)

    @admin.action(description="Move to the bottom", permissions=["change"])
    def move_to_bottom(self, request: HttpRequest, queryset: QuerySet[WorkerQueue]) -> None:
        for entry in queryset:
            self._try(request, entry, ordering.move_to_bottom)

    def _try(self, request: HttpRequest, entry: WorkerQueue, verb: Any) -> None:
        try:
            verb(entry.pk, actor(request))
        except (WorkerError, WorkerQueue.DoesNotExist) as error:
            messages.error(request, f"{entry}: {error}")


@admin.register(Yard)
class YardAdmin(YardAdminBase):
    list_display = ["__str__", "limit", "paused", "paused_by", "paused_at"]
    fields = ["limit", "paused", "paused_by", "paused_at"]
    readonly_fields = ["paused_by", "paused_at"]

    def save_model(self, request: HttpRequest, obj: Yard, form: Any, change: bool) -> None:
        by = actor(request)
        if "limit" in form.changed_data:
            dispatch.set_limit(obj.limit, by)
        if "paused" in form.changed_data:
            (dispatch.pause_queue if obj.paused else dispatch.resume_queue)(by)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
