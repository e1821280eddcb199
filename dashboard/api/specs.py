"""Specs with their chunks: the list, one spec, writing, importing, deleting."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field
from pydantic.config import JsonDict

from dashboard import access
from dashboard.api import conditions
from dashboard.api.authentication import ACTING
from dashboard.api.extras import CONDITIONAL, located
from dashboard.api.paging import Body, Number, Page, Paging, Words, by_number, page
from dashboard.api.spec_shapes import ChunkOut, SpecChange, SpecOut, SpecSummary
from queue_app.errors import BadValue
from specs import editing, limits
from specs.importers.native import NativeSpec
from specs.importers.types import Name
from specs.models import Project, Spec

router = Router(tags=["specs"])
WORDS_LOOKED_FOR = 8
EXAMPLE: JsonDict = {
    "project": 1,
    "key": "release-notes",
    "title": "Write the release notes",
    "chunks": [{"title": "Collect the changes", "executor": "command", "params": {"run": "make changes"}}],
}


class SpecFilter(Schema):
    """Which specs."""

    project: Number | None = Field(None, description="The number of a project.")
    key: Words = Field("", description="Those with exactly this key.")
    q: Words = Field("", description="Those whose title, key or project has all of these words.")


class SpecIn(NativeSpec):
    """A new spec: what docs/spec-format.md describes, with its project and key."""

    model_config = {"json_schema_extra": {"examples": [EXAMPLE]}}

    project: Number = Field(description="The number of its project.")
    key: Name | None = Field(None, description="Its stable name within the project; from its title without.")


class ImportIn(Body):
    """A spec as YAML (docs/spec-format.md)."""

    project: Number = Field(description="The number of its project.")
    text: str = Field(max_length=limits.FILE_SIZE, examples=["title: Tidy up\nchunks:\n  - title: Format\n"])
    key: Name | None = Field(None, description="Which spec it is; from its title without.")


@router.get("/specs", response=Page[SpecSummary], summary="List specs")
def list_specs(request: HttpRequest, chosen: Query[SpecFilter], paging: Query[Paging]) -> Any:
    """The specs in the order in which they were made, without their chunks."""
    specs = Spec.objects.select_related("project")
    if chosen.project is not None:
        specs = specs.filter(project=chosen.project)
    if chosen.key:
        specs = specs.filter(key=chosen.key)
    for word in chosen.q.split()[:WORDS_LOOKED_FOR]:
        specs = specs.filter(Q(title__icontains=word) | Q(project__name__icontains=word) | Q(key__icontains=word))
    rows, following = by_number(specs, paging)
    return page([SpecSummary.of(spec) for spec in rows], following)


@router.post("/specs", auth=ACTING, response={201: SpecOut}, summary="Create a spec", openapi_extra=located(201))
def create_spec(request: HttpRequest, response: HttpResponse, body: SpecIn) -> Status[SpecOut]:
    """Write a spec with its chunks. 422 when another spec of the project has its key."""
    data = body.model_dump(exclude_unset=True, exclude={"project", "key"})
    spec = editing.create_spec(_project(body.project), body.key or "", data)
    response["Location"] = f"/api/specs/{spec.pk}"
    return Status(HTTPStatus.CREATED, _shown(spec.pk))


@router.post(
    "/specs/import",
    auth=ACTING,
    response={200: SpecOut, 201: SpecOut},
    summary="Import a spec",
    openapi_extra=located(200, 201),
)
def import_spec(request: HttpRequest, response: HttpResponse, body: ImportIn) -> Status[SpecOut]:
    """Read a spec from YAML: 201 when it is new, 200 when it takes the place of what its key named before.

    What has run keeps the plan with which it began.
    """
    key = body.key or editing.key_of(editing.title_in(body.text))
    result = editing.save_text(_project(body.project), key, body.text)
    response["Location"] = f"/api/specs/{result.spec.pk}"
    return Status(HTTPStatus.CREATED if result.created else HTTPStatus.OK, _shown(result.spec.pk))


@router.get("/specs/{int:id}", response=SpecOut, summary="Get a spec")
def get_spec(request: HttpRequest, id: int) -> SpecOut:
    """One spec with its chunks."""
    return SpecOut.whole(access.get_spec(request.user, id))


@router.put("/specs/{int:id}", auth=ACTING, response=SpecOut, summary="Replace a spec", openapi_extra=CONDITIONAL)
def replace_spec(request: HttpRequest, id: int, body: NativeSpec) -> SpecOut:
    """Write it anew, with all its chunks. What runs keeps the plan with which it began."""
    return _written(request, id, lambda spec: body.model_dump(exclude_unset=True))


@router.patch("/specs/{int:id}", auth=ACTING, response=SpecOut, summary="Change a spec", openapi_extra=CONDITIONAL)
def update_spec(request: HttpRequest, id: int, body: SpecChange) -> SpecOut:  # type: ignore[valid-type]
    """Change some of it; `chunks` replaces all of them. What runs keeps the plan with which it began."""
    facts: dict[str, Any] = body.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
    return _written(request, id, lambda spec: {**editing.to_data(spec), **facts})


@router.delete("/specs/{int:id}", auth=ACTING, response={204: None}, summary="Delete a spec", openapi_extra=CONDITIONAL)
def delete_spec(request: HttpRequest, id: int) -> Status[None]:
    """Delete it with its chunks; what it has run stays in the history. 409 while it runs or waits."""
    _change(request, id, Spec.remove)
    return Status(HTTPStatus.NO_CONTENT, None)


@router.get("/specs/{int:id}/chunks", response=list[ChunkOut], summary="List a spec's chunks")
def list_spec_chunks(request: HttpRequest, id: int) -> Any:
    """Its chunks in the order in which they run."""
    return [ChunkOut.copied(chunk) for chunk in access.get_spec(request.user, id).chunks.all()]


def _written(request: HttpRequest, pk: int, data: Callable[[Spec], dict[str, Any]]) -> SpecOut:
    _change(request, pk, lambda spec: editing.save_data(spec.project, spec.key, data(spec)))
    return _shown(pk)


def _change(request: HttpRequest, pk: int, verb: Callable[[Spec], object]) -> None:
    conditions.change(request, lambda: access.get_spec(request.user, pk), SpecOut.whole, verb, lock=_lock)


def _lock(spec: Spec) -> None:
    """The lock of its project, which everybody who writes specs takes first."""
    Project.objects.select_for_update(no_key=True).get(pk=spec.project_id)


def _shown(pk: int) -> SpecOut:
    return SpecOut.whole(Spec.objects.select_related("project").get(pk=pk))


def _project(pk: int) -> Project:
    project = Project.objects.filter(pk=pk).first()
    if project is None:
        raise BadValue(f"project: There is no project {pk}.")
    return project
