"""The sections of the file that are sections in the code too: how chunks run, for all, per mode and per executor."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from dashboard.config.types import Count, Duration, Image, Memory, ModeName
from specs import limits

# What may be said already although nothing in this version heeds it; whoever sets one is told.
UNREAD = frozenset({"count", "memory_limit", "image"})


@dataclass(frozen=True)
class At:
    """Where a field stands in the file, when not by its own name, and what cannot be seen from its default."""

    key: str
    variable: str = ""  # when it is not SPECYARD_ and the field's name
    default: str = ""  # in words, when the value depends on the machine or means "something else decides"


class Section(BaseModel):
    """Settings that belong together."""

    model_config = ConfigDict(extra="forbid")


class Limits(Section):
    """What may be said for one mode or one executor; what is not said is taken from further outside."""

    count: Count | None = Field(
        default=None,
        examples=[4],
        description="How many processes of an executor form its pool, 1 to 20. Nothing reads it yet.",
    )
    memory_limit: Memory | None = Field(
        default=None,
        examples=["8 GiB"],
        description="The most memory of an attempt with all its processes. Not enforced yet.",
    )
    time_limit: Duration | None = Field(
        default=None,
        examples=["1h"],
        description="Wall time of one attempt at a chunk whose spec gives no timeout.",
    )


class Docker(Limits):
    """Chunks run in containers (mode "docker"; this version cannot do it yet)."""

    image: Image | None = Field(
        default=None, examples=["python:3.12-slim"], description="The image of the containers. Nothing reads it yet."
    )


class Sandbox(Limits):
    """Chunks can write nothing but their workspace (mode "sandbox"; this version cannot do it yet)."""


class Direct(Limits):
    """Chunks run as ordinary processes of this user (mode "direct")."""


class Executor(Docker):
    """What holds for chunks with this executor, before what their mode and [execution] say."""

    mode: ModeName | None = Field(default=None, examples=["direct"], description="How chunks with this executor run.")


class Execution(Section):
    """How chunks run, unless their mode ([execution.docker] …) or their executor ([executors.agent] …) says else."""

    mode: ModeName = Field(
        default="direct", description='"direct", "sandbox" or "docker"; this version offers "direct".'
    )
    count: Count = Field(default=1, description=Limits.model_fields["count"].description)
    memory_limit: Memory = Field(default=4 * 2**30, description=Limits.model_fields["memory_limit"].description)
    time_limit: Duration = Field(
        default=limits.TIMEOUT_DEFAULT, description=Limits.model_fields["time_limit"].description
    )
    setup_time_limit: Duration = Field(
        default=limits.TIMEOUT_DEFAULT,
        description="Wall time for making a workspace, and for the commands that set it up and tear it down.",
    )
    direct: Direct = Field(default_factory=Direct)
    sandbox: Sandbox = Field(default_factory=Sandbox)
    docker: Docker = Field(default_factory=Docker)
