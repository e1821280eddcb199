"""Agent profiles: the list with what is installed and what was used, adding, editing, deleting."""

import re
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
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
            saved = update_profile(profile, values) if profile.pk else create_profile(values)
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
