"""Agent profiles: the list with what is installed and what was used, adding, editing, deleting."""

import re
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from dashboard import access
from dashboard.pages import profile_fragments
from dashboard.pages.page import explains_refusals, go, show
from specs.agents import AgentProfile, Permission
from specs.errors import SpecInvalid
from specs.importers.types import format_duration
from specs.profiles_editing import FIELDS, create_profile, update_profile
from specs.profiles_editing import remove_profile as remove

LISTS = ("arguments", "allowed_tools", "login_files")
TIMES = ("handshake_seconds", "silence_seconds", "wall_seconds")
NEW_SECRETS = 2  # empty rows in the form
PART = re.compile(r"([a-z_]+)(?:\[(\d+)\]|\.(.+))?")


@access.looking()
def index(request: HttpRequest) -> HttpResponse:
    """All profiles, and what was used with them in the last days."""
    context = {"list": profile_fragments.profile_list(), "usage": profile_fragments.profile_usage()}
    return show(request, "profiles/index.html", context, section="profiles", topic="profiles")


@access.acting("GET", "HEAD", "POST")
def new(request: HttpRequest) -> HttpResponse:
    """Add a profile."""
    return _form(request, AgentProfile())


@access.acting("GET", "HEAD", "POST", "DELETE")
@explains_refusals
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a profile; DELETE removes it, unless something needs it."""
    profile = access.get_profile(request.user, pk)
    if request.method == "DELETE":
        remove(profile)
        messages.success(request, f"Deleted {profile.name}")
        return go(request, reverse("profiles"))
    return _form(request, profile)


def _form(request: HttpRequest, profile: AgentProfile) -> HttpResponse:
    errors: dict[str, str] = {}
    values = _as_written(profile)
    posted = request.POST if request.method == "POST" else None
    if posted is not None:
        values = {name: posted.get(name, "") for name in FIELDS}
        try:
            change = _secrets(posted)
            saved = update_profile(profile, values, change) if profile.pk else create_profile(values, change)
        except SpecInvalid as error:
            errors = _by_field(error)
        else:
            messages.success(request, f"Saved {saved.name}")
            return redirect("profiles")
    context = {
        "profile": profile,
        "values": values,
        "errors": errors,
        "permissions": Permission.choices,
        "stored": AgentProfile.objects.get(pk=profile.pk) if profile.pk else profile,
        "removed": posted.getlist("remove-secret") if posted else [],
        "new_names": _new_names(posted),
        "typed": bool(posted and any(_typed(posted))),
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return show(request, "profiles/edit.html", context, section="profiles", status=status)


def _as_written(profile: AgentProfile) -> dict[str, Any]:
    """The values as the form shows them: one item a line, times as people write them."""
    values = {name: getattr(profile, name) for name in FIELDS}
    values |= {name: "\n".join(values[name]) for name in LISTS}
    values |= {name: format_duration(values[name]) for name in TIMES}
    values["environment"] = "\n".join(f"{name}={value}" for name, value in profile.environment.items())
    return {**values, "max_sessions": values["max_sessions"] or ""}


def _secrets(posted: QueryDict) -> dict[str, str | None]:
    """What becomes of the secrets: new values by name, None for those that go. A name without a value is refused."""
    change: dict[str, str | None] = dict.fromkeys(posted.getlist("remove-secret"))
    replaced = zip(posted.getlist("secret-name"), posted.getlist("secret-value"), strict=False)
    change |= {name: value for name, value in replaced if value}
    added = zip(posted.getlist("new-secret-name"), posted.getlist("new-secret-value"), strict=False)
    change |= {name.strip(): value for name, value in added if name.strip() or value}
    return change


def _typed(posted: QueryDict) -> list[str]:
    return [*posted.getlist("secret-value"), *posted.getlist("new-secret-value")]


def _new_names(posted: QueryDict | None) -> list[str]:
    given = posted.getlist("new-secret-name")[:NEW_SECRETS] if posted else []
    return [*given, *[""] * (NEW_SECRETS - len(given))]


def _by_field(error: SpecInvalid) -> dict[str, str]:
    """The first message for each field; one about an item says which."""
    found: dict[str, str] = {}
    for path, message in error.errors:
        parts = PART.fullmatch(path)
        if parts is None:
            found.setdefault(path, message)
            continue
        field, place, key = parts.groups()
        item = f"line {int(place) + 1} " if place else f"{key} " if key else ""
        found.setdefault(field, f"{item}{message}")
    return found
