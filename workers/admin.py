"""Workers, nodes and events in Django's admin: to look at, and to pause, resume and stop through the verbs."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from specs.read_only_admin import ReadOnlyAdmin
from workers.errors import WorkerError
from workers.models import (
    Artifact,
    Attempt,
    Event,
    EventCounter,
    Landing,
    Message,
    Node,
    Question,
    TestReport,
    Totals,
    Worker,
    WorkerChunk,
)

if TYPE_CHECKING:
    ChunkInlineBase = admin.TabularInline[WorkerChunk, Worker]
else:
    ChunkInlineBase = admin.TabularInline


class ChunkInline(ChunkInlineBase):
    model = WorkerChunk
    fields = ["ordinal", "key", "title", "executor", "outcome", "started_at", "finished_at"]
    readonly_fields = ["ordinal", "key", "title", "executor", "outcome", "started_at", "finished_at"]
    extra = 0
    can_delete = False


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = ["id", "title", "project", "status", "desired", "step", "passed", "total", "reason", "created_at"]
    list_filter = ["status", "reason", "project"]
    list_select_related = ["project"]
    search_fields = ["title", "error"]
    inlines = [ChunkInline]
    actions = ["pause", "resume", "stop"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may act on workers here."""
        return request.user.has_perm("workers.change_worker")

    @admin.action(description="Pause", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Worker]) -> None:
        self._each(request, queryset, Worker.request_pause)

    @admin.action(description="Resume", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Worker]) -> None:
        self._each(request, queryset, Worker.request_resume)

    @admin.action(description="Stop", permissions=["operate"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Worker]) -> None:
        self._each(request, queryset, Worker.request_stop)

    def _each(self, request: HttpRequest, queryset: QuerySet[Worker], verb: Callable[[Worker, str], None]) -> None:
        for worker in queryset:
            try:
                verb(worker, str(request.user.get_username()))
            except WorkerError as error:
                messages.error(request, str(error))


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = ["path", "attempt", "kind", "size"]
    list_filter = ["kind"]
    list_select_related = ["attempt"]
    search_fields = ["path"]


@admin.register(WorkerChunk)
class WorkerChunkAdmin(ReadOnlyAdmin):
    list_display = ["worker", "ordinal", "title", "outcome"]
    list_select_related = ["worker"]
    list_filter = ["outcome"]


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ["id", "chunk", "number", "status", "reason", "exit_code", "started_at", "finished_at"]
    list_select_related = ["chunk"]
    list_filter = ["status", "reason"]


@admin.register(Question)
class QuestionAdmin(ReadOnlyAdmin):
    list_display = ["id", "worker", "kind", "title", "asked_at", "answered_at", "answered_by", "closed"]
    list_select_related = ["worker"]
    list_filter = ["kind", "closed"]


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ["id", "worker", "by", "sent_at", "said_at"]
    list_select_related = ["worker"]


@admin.register(Landing)
class LandingAdmin(ReadOnlyAdmin):
    list_display = ["id", "worker", "kind", "asked_by", "asked_at", "done_at", "error"]
    list_select_related = ["worker"]
    list_filter = ["kind"]


@admin.register(Node)
class NodeAdmin(ReadOnlyAdmin):
    list_display = ["name", "status", "load", "memory", "last_seen"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["seq", "kind", "worker_id", "at"]
    list_filter = ["kind"]


@admin.register(Totals)
class TotalsAdmin(ReadOnlyAdmin):
    list_display = ["id", "seq"]


@admin.register(TestReport)
class TestReportAdmin(ReadOnlyAdmin):
    list_display = ["id", "artifact", "tests", "failures", "errors", "skipped", "seconds"]
    list_select_related = ["artifact"]


@admin.register(EventCounter)
class EventCounterAdmin(ReadOnlyAdmin):
    list_display = ["seq"]
