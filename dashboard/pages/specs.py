"""Specs: the list, one spec with its two run buttons, and editing as YAML."""

from http import HTTPStatus

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from dashboard import access
from dashboard.pages import fragments, spec_fragments
from dashboard.pages.choices import Filter
from dashboard.pages.page import done, explains_refusals, go, show
from queue_app import dispatch
from specs import editing, limits
from specs.errors import SpecInvalid
from specs.models import Project, Spec
from specs.text import slug
from workers.models import Worker

TEMPLATE = """\
title: What this achieves
description: |
  Why, and how one can tell that it is done.
chunks:
  - title: First step
    params: {run: "make test"}
"""


@access.looking()
def index(request: HttpRequest) -> HttpResponse:
    """The specs by project, with their state."""
    wanted = Filter.parse(request.META["QUERY_STRING"])
    context = {"filter": wanted, "list": spec_fragments.spec_list(str(wanted))}
    return show(request, "specs/index.html", context, section="specs", topic=f"specs:{wanted}")


@access.looking("GET", "HEAD", "DELETE")
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the spec. DELETE: see `delete`."""
    if request.method == "DELETE":
        return delete(request, pk)
    spec = access.get_spec(request.user, pk)
    head, work = spec_fragments.spec_head(spec), spec_fragments.spec_work(spec)
    return show(
        request,
        "specs/detail.html",
        {"spec": spec, "head": head, "work": work},
        section="specs",
        topic=f"spec:{pk}",
    )


@access.acting("DELETE")
@explains_refusals
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete the spec; refused with the reason while somebody needs it."""
    spec = access.get_spec(request.user, pk)
    spec.remove()
    messages.success(request, f"Deleted {spec.title}")
    return go(request, reverse("specs"))


@access.acting()
@explains_refusals
def run_all(request: HttpRequest, pk: int) -> HttpResponse:
    """Run the spec and go to the live page of the run; to the workers when it has to wait."""
    spec = access.get_spec(request.user, pk)
    result = dispatch.enqueue(spec, by=request.user.get_username())
    if isinstance(result, Worker):
        return go(request, reverse("worker", args=[result.pk]))
    messages.success(request, f"{spec.title} waits in the queue: no slot is free")
    return go(request, reverse("workers"))


@access.acting()
@explains_refusals
def run_in_background(request: HttpRequest, pk: int) -> HttpResponse:
    """Run the spec, or let it wait, and go back to the workers; with `stay`, stay in the list of specs."""
    spec = access.get_spec(request.user, pk)
    result = dispatch.enqueue(spec, by=request.user.get_username())
    said = f"{spec.title} {'runs' if isinstance(result, Worker) else 'waits in the queue'}"
    if request.POST.get("stay"):
        return done(request, *spec_fragments.spec_rows([pk]), fragments.nav(), said=said, to="specs")
    messages.success(request, said)
    return go(request, reverse("workers"))


@access.acting("GET", "HEAD", "POST")
def new(request: HttpRequest) -> HttpResponse:
    """Write or import a spec: choose the project, give it a name, write YAML or choose a file."""
    form = {name: request.POST.get(name, "") for name in ("project", "key", "text")}
    if request.method != "POST":
        form |= {"project": request.GET.get("project", ""), "text": TEMPLATE}
        return _editor(request, form)
    project = Project.objects.filter(name=form["project"]).first()
    if project is None:
        return _editor(request, form, [("project", "choose one of the projects")])
    try:
        form["text"], name = _uploaded(request) or (form["text"], "")
        key = form["key"] or slug(name) or editing.key_of(editing.title_in(form["text"]))
        editing.refuse_taken_key(project, key)
        saved = editing.save_text(project, key, form["text"])
    except SpecInvalid as error:
        return _editor(request, form, error.errors)
    return redirect("spec", pk=saved.spec.pk)


@access.acting("GET", "HEAD", "POST")
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a spec as YAML. A run that is under way keeps the plan with which it started."""
    spec = access.get_spec(request.user, pk)
    form = {"project": spec.project.name, "key": spec.key, "text": request.POST.get("text", "")}
    if request.method != "POST":
        return _editor(request, form | {"text": editing.to_yaml(spec)}, spec=spec)
    try:
        editing.save_text(spec.project, spec.key, form["text"])
    except SpecInvalid as error:
        return _editor(request, form, error.errors, spec)
    messages.success(request, "Saved")
    return redirect("spec", pk=pk)


def _editor(
    request: HttpRequest, form: dict[str, str], errors: list[tuple[str, str]] | None = None, spec: Spec | None = None
) -> HttpResponse:
    projects = list(Project.objects.order_by("name").annotate(size=Count("specs")))
    found = errors or []
    beside = {} if spec else dict(reversed([one for one in found if one[0] in ("project", "key")]))
    rest = [(field, text) for field, text in found if field not in beside]
    context = {"form": form, "errors": found, "beside": beside, "rest": rest, "spec": spec, "projects": projects}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return show(request, "specs/edit.html", context, section="specs", status=status)


def _uploaded(request: HttpRequest) -> tuple[str, str] | None:
    """The text and the name (without ending) of an uploaded file. Raises SpecInvalid."""
    file = request.FILES.get("file")
    if file is None:
        return None
    if file.size > limits.FILE_SIZE:
        raise SpecInvalid([("file", f"has {file.size:,} bytes; a spec may have {limits.FILE_SIZE:,}")])
    try:
        return file.read().decode("utf-8-sig"), (file.name or "").rsplit(".", 1)[0]
    except UnicodeDecodeError as error:
        raise SpecInvalid([("file", f"is not text in UTF-8 (at byte {error.start:,})")]) from error
