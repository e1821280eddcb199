"""Projects: the list, one project, adding, changing, deleting."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from dashboard import access
from dashboard.api import conditions
from dashboard.api.authentication import ACTING
from dashboard.api.extras import CONDITIONAL, located
from dashboard.api.paging import Body, Page, Paging, Words, by_number, page
from dashboard.api.shapes import ProjectName, Shown, partly
from specs import editing, importing, limits
from specs.importing import ImportResult
from specs.models import Isolation, Project

router = Router(tags=["projects"])
if TYPE_CHECKING:
    IsolationName = str
else:
    IsolationName = Literal[tuple(Isolation.values)]


Outcome = Literal["created", "updated", "unchanged"]


class ProjectFilter(Schema):
    """Which projects."""

    name: Words = Field("", description="The one with exactly this name.")
    q: Words = Field("", description="Those whose name has this in it.")


class ProjectIn(Body):
    """A new project. What is left out gets its usual value."""

    name: str = Field(max_length=limits.NAME_LENGTH, examples=["website"])
    directory: str = Field(
        max_length=limits.PATH_LENGTH,
        description="An absolute path on the machine that runs it.",
        examples=["/home/mira/website"],
    )
    default_branch: str = Field("main", max_length=limits.TITLE_LENGTH)
    isolation: IsolationName = Field(
        "copy", description="worktree (a branch for each worker), copy, or in_place (all in the directory itself)."
    )
    setup_command: str = Field("", max_length=limits.COMMAND_LENGTH, description="Runs once in each workspace.")
    teardown_command: str = Field("", max_length=limits.COMMAND_LENGTH)
    review_command: str = Field(
        "", max_length=limits.COMMAND_LENGTH, description="Reviews chunks that have no review of their own."
    )
    environment: dict[str, str] = Field({}, max_length=limits.ENVIRONMENT_VARIABLES)
    max_workers: int | None = Field(
        None, ge=1, le=limits.PROJECT_WORKERS_MOST, description="How many workers at once; null: no limit of its own."
    )
    default_executor: str = Field("command", max_length=limits.NAME_LENGTH, description="Of chunks that name none.")
    default_profile: str = Field("", max_length=limits.NAME_LENGTH, description="The agent of chunks that name none.")


ProjectChange = partly("ProjectChange", ProjectIn, "What shall become different; what is left out stays.")


class ProjectOut(Shown):
    """A directory of work with the commands and limits that all its specs share."""

    id: int
    name: str
    directory: str
    default_branch: str
    isolation: IsolationName
    setup_command: str
    teardown_command: str
    review_command: str
    environment: dict[str, str]
    max_workers: int | None = Field(description="How many workers at once; null: no limit of its own.")
    default_executor: str
    default_profile: str
    specs: int = Field(description="How many specs it has.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, project: Project) -> "ProjectOut":
        """As it is."""
        size = getattr(project, "size", None)
        return cls.copied(project, specs=project.specs.count() if size is None else size)


@router.get("/projects", response=Page[ProjectOut], summary="List projects")
def list_projects(request: HttpRequest, chosen: Query[ProjectFilter], paging: Query[Paging]) -> Any:
    """The projects in the order in which they were added."""
    projects = Project.objects.annotate(size=Count("specs"))
    if chosen.name:
        projects = projects.filter(name=chosen.name)
    if chosen.q:
        projects = projects.filter(name__icontains=chosen.q)
    rows, following = by_number(projects, paging)
    return page([ProjectOut.of(project) for project in rows], following)


@router.post("/projects", auth=ACTING, response={201: ProjectOut}, summary="Add a project", openapi_extra=located(201))
def create_project(request: HttpRequest, response: HttpResponse, body: ProjectIn) -> Status[ProjectOut]:
    """Add a project. 422 when its directory cannot be used or its name is taken."""
    project = editing.create_project(body.model_dump(exclude_unset=True))
    response["Location"] = f"/api/projects/{project.pk}"
    return Status(HTTPStatus.CREATED, ProjectOut.of(project))


class FolderIn(Body):
    """A folder with specs on the machine of the server, or one file."""

    path: str = Field(
        max_length=limits.PATH_LENGTH,
        description="An absolute path of a folder that holds `.specyard/*.yaml`, or of one such file.",
        examples=["/home/mira/website"],
    )


class ImportedOut(Schema):
    """What became of one file."""

    spec: int
    key: str
    title: str
    outcome: Outcome

    @classmethod
    def of(cls, result: ImportResult) -> "ImportedOut":
        """As it is."""
        spec = result.spec
        outcome: Outcome = "created" if result.created else "updated" if result.changed else "unchanged"
        return cls(spec=spec.pk, key=spec.key, title=spec.title, outcome=outcome)


class FolderOut(Schema):
    """A project whose specs were read."""

    project: ProjectName
    specs: list[ImportedOut]


@router.post("/projects/import", auth=ACTING, response=FolderOut, summary="Import a folder")
def import_folder(request: HttpRequest, body: FolderIn) -> FolderOut:
    """Read the specs of a folder, all or none. Its project is made, named after the folder, where there is none."""
    results = importing.import_named(body.path)
    project = ProjectName.copied(results[0].spec.project)
    return FolderOut(project=project, specs=[ImportedOut.of(result) for result in results])


@router.get("/projects/{int:id}", response=ProjectOut, summary="Get a project")
def get_project(request: HttpRequest, id: int) -> ProjectOut:
    """One project."""
    return ProjectOut.of(access.get_project(request.user, id))


@router.patch(
    "/projects/{int:id}", auth=ACTING, response=ProjectOut, summary="Change a project", openapi_extra=CONDITIONAL
)
def update_project(request: HttpRequest, id: int, body: ProjectChange) -> ProjectOut:  # type: ignore[valid-type]
    """Change some of it. What runs goes on as it began."""
    facts: dict[str, Any] = body.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
    _change(request, id, lambda project: editing.update_project(project, facts))
    return ProjectOut.of(access.get_project(request.user, id))


@router.delete(
    "/projects/{int:id}", auth=ACTING, response={204: None}, summary="Delete a project", openapi_extra=CONDITIONAL
)
def delete_project(request: HttpRequest, id: int) -> Status[None]:
    """Delete it with its specs. 409 while one of them runs or waits, and once something of it has run."""
    _change(request, id, Project.remove)
    return Status(HTTPStatus.NO_CONTENT, None)


def _change(request: HttpRequest, pk: int, verb: Callable[[Project], object]) -> None:
    conditions.change(request, lambda: access.get_project(request.user, pk), ProjectOut.of, verb)
