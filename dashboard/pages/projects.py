"""Projects: the list, adding, editing, importing the specs of a folder, deleting."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from dashboard import access
from dashboard.pages import spec_fragments
from dashboard.pages.page import explains_refusals, go, show
from dashboard.pages.words import count
from specs import editing, importing, profiles
from specs.errors import SpecInvalid
from specs.models import Isolation, Project

TEXTS = ("name", "directory", "default_branch", "setup_command", "teardown_command", "review_command")
FIELDS = (*TEXTS, "isolation", "environment", "max_workers", "default_executor", "default_profile")


@access.looking()
def index(request: HttpRequest) -> HttpResponse:
    """All projects with their number of specs."""
    return _list(request)


def _list(request: HttpRequest, path: str = "", errors: list[tuple[str, str]] | None = None) -> HttpResponse:
    context = {"list": spec_fragments.project_list(), "path": path, "errors": errors or []}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return show(request, "projects/index.html", context, section="projects", topic="projects", status=status)


@access.acting("GET", "HEAD", "POST")
def new(request: HttpRequest) -> HttpResponse:
    """Add a project."""
    return _form(request, Project())


@access.acting("GET", "HEAD", "POST", "DELETE")
@explains_refusals
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a project; DELETE removes it with its specs, unless one of them is needed."""
    project = access.get_project(request.user, pk)
    if request.method == "DELETE":
        project.remove()
        messages.success(request, f"Deleted {project.name}")
        return go(request, reverse("projects"))
    return _form(request, project)


def _form(request: HttpRequest, project: Project) -> HttpResponse:
    errors: list[tuple[str, str]] = []
    values = {name: getattr(project, name) for name in FIELDS}
    values["environment"] = "\n".join(f"{name}={value}" for name, value in project.environment.items())
    if request.method == "POST":
        values = {name: request.POST.get(name, "") for name in FIELDS}
        try:
            saved = editing.update_project(project, values) if project.pk else editing.create_project(values)
        except SpecInvalid as error:
            errors = error.errors
        else:
            messages.success(request, f"Saved {saved.name}")
            return redirect("projects")
    context = {
        "project": project,
        "values": values,
        "errors": dict(errors),
        "isolations": Isolation.choices,
        "profiles": profiles.known(),
        "usual_profile": profiles.DEFAULT,
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return show(request, "projects/edit.html", context, section="projects", status=status)


@access.acting()
def import_folder(request: HttpRequest) -> HttpResponse:
    """Import the specs of a folder on this machine, or one file: all or nothing."""
    path = request.POST.get("path", "").strip()
    try:
        results = importing.import_named(path)
    except SpecInvalid as error:
        return _list(request, path, error.errors)
    changed = sum(result.changed for result in results)
    project = results[0].spec.project.name
    messages.success(request, f"Read {count(len(results), 'spec')} of {project}; {changed} new or changed")
    return redirect("specs")
