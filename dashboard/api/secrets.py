"""The secrets of projects and agent profiles: names are given, values are only taken."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest
from django.views.decorators.debug import sensitive_variables
from ninja import Path, Router, Schema, Status
from pydantic import Field

from dashboard import access
from dashboard.api.authentication import ADMINISTERING
from dashboard.api.paging import Body, Words
from specs import limits
from specs.agents import AgentProfile
from specs.models import Project
from specs.secrets import Secret, remove_secret, set_secret

router = Router(tags=["secrets"])
OF_PROJECT, OF_PROFILE = "/projects/{int:id}/secrets", "/profiles/{int:id}/secrets"


class SecretIn(Body):
    """A new value."""

    value: str = Field(
        max_length=limits.COMMAND_LENGTH,
        description="Is encrypted, given to processes, and never shown. It needs a line of at least 6 characters.",
        json_schema_extra={"writeOnly": True, "format": "password"},
    )


class SecretOut(Schema):
    """A secret, without its value."""

    name: str = Field(description="The variable of the processes that get it.", examples=["DEPLOY_TOKEN"])
    changed_at: datetime = Field(description="When its value was set last.")
    changed_by: str = Field(description="Who did that; empty when nobody knows.")


class Secrets(Schema):
    """All secrets of a project or profile; there are never so many that they come in pages."""

    items: list[SecretOut]


def _all(owner: Project | AgentProfile) -> dict[str, Any]:
    return {"items": list(owner.secrets.all())}


@sensitive_variables("body")
def _set(request: HttpRequest, owner: Project | AgentProfile, name: str, body: SecretIn) -> Secret:
    return set_secret(owner, name, body.value, by=request.user.get_username())


def _remove(request: HttpRequest, owner: Project | AgentProfile, name: str) -> Status[None]:
    if not remove_secret(owner, name, by=request.user.get_username()):
        raise Http404("There is no secret of that name.")
    return Status(HTTPStatus.NO_CONTENT, None)


@router.get(OF_PROJECT, response=Secrets, summary="List the secrets of a project")
def list_project_secrets(request: HttpRequest, id: int) -> Any:
    """Their names, and who changed them when."""
    return _all(access.get_project(request.user, id))


@router.put(OF_PROJECT + "/{name}", auth=ADMINISTERING, response=SecretOut, summary="Set a secret of a project")
@sensitive_variables("body")
def set_project_secret(request: HttpRequest, id: int, name: Path[Words], body: SecretIn) -> Any:
    """Add it, or replace its value. Processes that start from now on get it.."""
    return _set(request, access.get_project(request.user, id), name, body)


@router.delete(OF_PROJECT + "/{name}", auth=ADMINISTERING, response={204: None}, summary="Delete a secret of a project")
def delete_project_secret(request: HttpRequest, id: int, name: Path[Words]) -> Status[None]:
    """Delete it for good."""
    return _remove(request, access.get_project(request.user, id), name)


@router.get(OF_PROFILE, response=Secrets, summary="List the secrets of an agent profile")
def list_profile_secrets(request: HttpRequest, id: int) -> Any:
    """Their names, and who changed them when."""
    return _all(access.get_profile(request.user, id))


@router.put(OF_PROFILE + "/{name}", auth=ADMINISTERING, response=SecretOut, summary="Set a secret of an agent profile")
@sensitive_variables("body")
def set_profile_secret(request: HttpRequest, id: int, name: Path[Words], body: SecretIn) -> Any:
    """Add it, or replace its value. An agent that is at work is started anew with the next chunk.."""
    return _set(request, access.get_profile(request.user, id), name, body)


@router.delete(
    OF_PROFILE + "/{name}", auth=ADMINISTERING, response={204: None}, summary="Delete a secret of an agent profile"
)
def delete_profile_secret(request: HttpRequest, id: int, name: Path[Words]) -> Status[None]:
    """Delete it for good."""
    return _remove(request, access.get_profile(request.user, id), name)
