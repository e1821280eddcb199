"""Agent profiles: the list, one profile, adding, changing, deleting. Secrets are taken and never given."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from dashboard import access
from dashboard.api import conditions
from dashboard.api.authentication import ACTING
from dashboard.api.extras import CONDITIONAL, located
from dashboard.api.paging import Body, Page, Paging, Words, by_number, page
from dashboard.api.shapes import Shown, partly
from specs import limits, profiles
from specs.agents import AgentProfile, Permission
from specs.profiles_editing import create_profile as create
from specs.profiles_editing import remove_profile as remove
from specs.profiles_editing import update_profile as update

router = Router(tags=["profiles"])
if TYPE_CHECKING:
    PermissionName = str
else:
    PermissionName = Literal[tuple(Permission.values)]
Wait = Annotated[int, Field(ge=limits.SECONDS_SHORTEST, le=limits.TIMEOUT_LONGEST)]
Items = Annotated[list[str], Field(max_length=limits.ITEMS)]


class ProfileFilter(Schema):
    """Which profiles."""

    name: Words = Field("", description="The one with exactly this name.")


class ProfileIn(Body):
    """A new profile. What is left out gets its usual value."""

    name: str = Field(max_length=limits.NAME_LENGTH, examples=["my-agent"])
    title: str = Field(max_length=limits.TITLE_LENGTH, examples=["My agent"])
    command: str = Field(
        max_length=limits.PATH_LENGTH, description="A program on PATH, or its absolute path.", examples=["opencode"]
    )
    arguments: list[str] = Field([], max_length=limits.ARGUMENTS, examples=[["acp"]])
    environment: dict[str, str] = Field({}, max_length=limits.ENVIRONMENT_VARIABLES)
    model: str = Field("", max_length=limits.TITLE_LENGTH, description="As the agent names it; empty: its own choice.")
    mode: str = Field("", max_length=limits.TITLE_LENGTH, description="As the agent names it; empty: its own choice.")
    permission: PermissionName = Field("ask", description="Who answers when it asks: a person, a list, or nobody.")
    allowed_tools: Items = Field([], description="Tools that are allowed where `permission` is `listed`.")
    max_sessions: int | None = Field(None, ge=1, le=limits.SESSIONS_MOST, description="Workers at once; null: any.")
    handshake_seconds: Wait = Field(60, description="How long it may take to answer at its start.")
    silence_seconds: Wait = Field(600, description="How long it may say nothing in the middle of its work.")
    wall_seconds: int = Field(
        1800, ge=limits.TIMEOUT_SHORTEST, le=limits.TIMEOUT_LONGEST, description="The longest attempt."
    )
    login_files: Items = Field([], examples=[["XDG_DATA_HOME/opencode/auth.json"]])
    install_hint: str = Field("", max_length=limits.ITEM_LENGTH, description="The command that installs it.")
    notes: str = Field("", max_length=limits.TEXT_LENGTH)
    secrets: dict[str, str | None] = Field(
        {},
        max_length=limits.ENVIRONMENT_VARIABLES,
        description="Variables whose values are never shown; null removes one. Only administrators may send any.",
        json_schema_extra={"writeOnly": True},
    )


ProfileChange = partly("ProfileChange", ProfileIn, "What shall become different; what is left out stays.")


class ProfileOut(Shown):
    """An agent that speaks the Agent Client Protocol."""

    id: int
    name: str
    title: str
    command: str
    arguments: list[str]
    environment: dict[str, str]
    secret_names: list[str] = Field(description="The names of its secrets; their values are never shown.")
    model: str
    mode: str
    permission: PermissionName
    allowed_tools: list[str]
    max_sessions: int | None
    handshake_seconds: int
    silence_seconds: int
    wall_seconds: int
    login_files: list[str]
    install_hint: str
    notes: str
    is_installed: bool = Field(description="Whether this machine has its program.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, profile: AgentProfile) -> "ProfileOut":
        """As it is."""
        return cls.copied(profile, is_installed=profiles.detect(profile).found)


@router.get("/profiles", response=Page[ProfileOut], summary="List agent profiles")
def list_profiles(request: HttpRequest, chosen: Query[ProfileFilter], paging: Query[Paging]) -> Any:
    """The profiles in the order in which they were added."""
    found = AgentProfile.objects.prefetch_related("secrets")
    rows, following = by_number(found.filter(name=chosen.name) if chosen.name else found, paging)
    return page([ProfileOut.of(profile) for profile in rows], following)


@router.post(
    "/profiles", auth=ACTING, response={201: ProfileOut}, summary="Add an agent profile", openapi_extra=located(201)
)
def create_profile(request: HttpRequest, response: HttpResponse, body: ProfileIn) -> Status[ProfileOut]:
    """Add a profile. 422 when its name is taken."""
    data, secrets = _parts(request, body)
    profile = create(data, secrets, by=request.user.get_username())
    response["Location"] = f"/api/profiles/{profile.pk}"
    return Status(HTTPStatus.CREATED, ProfileOut.of(profile))


@router.get("/profiles/{int:id}", response=ProfileOut, summary="Get an agent profile")
def get_profile(request: HttpRequest, id: int) -> ProfileOut:
    """One profile, with the names of its secrets."""
    return ProfileOut.of(access.get_profile(request.user, id))


@router.patch(
    "/profiles/{int:id}", auth=ACTING, response=ProfileOut, summary="Change an agent profile", openapi_extra=CONDITIONAL
)
def update_profile(request: HttpRequest, id: int, body: ProfileChange) -> ProfileOut:  # type: ignore[valid-type]
    """Change some of it. An agent that is at work goes on as it was started."""
    data, secrets = _parts(request, body)
    _change(request, id, lambda profile: update(profile, data, secrets, by=request.user.get_username()))
    return ProfileOut.of(access.get_profile(request.user, id))


@router.delete(
    "/profiles/{int:id}",
    auth=ACTING,
    response={204: None},
    summary="Delete an agent profile",
    openapi_extra=CONDITIONAL,
)
def delete_profile(request: HttpRequest, id: int) -> Status[None]:
    """Delete it. 409 while a project, a spec or a worker needs it."""
    _change(request, id, remove)
    return Status(HTTPStatus.NO_CONTENT, None)


def _parts(request: HttpRequest, body: Any) -> tuple[dict[str, Any], dict[str, str | None]]:
    data: dict[str, Any] = body.model_dump(exclude_unset=True)
    secrets = data.pop("secrets", {})
    if secrets and not access.may_administer(request.user):
        raise PermissionDenied("Only administrators may change secrets.")
    return data, secrets


def _change(request: HttpRequest, pk: int, verb: Callable[[AgentProfile], object]) -> None:
    conditions.change(request, lambda: access.get_profile(request.user, pk), ProfileOut.of, verb)
