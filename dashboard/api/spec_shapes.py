"""A spec with its chunks as the API shows it and takes it."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field

from dashboard.api.shapes import ProjectName, Shown, partly
from specs.importers.native import NativeSpec
from specs.models import OnFailure, Spec


class ChunkOut(Shown):
    """One step of a spec."""

    ordinal: int = Field(description="Counted from 1.")
    key: str
    title: str
    instructions: str
    acceptance: list[str]
    executor: str
    params: dict[str, Any]
    review: dict[str, Any] = Field(description="Empty, or with `command`, `agent`, or both.")
    timeout: int = Field(description="Seconds.")
    depends_on: list[str] = Field(description="Keys of chunks of the same spec.")
    files: list[str]
    artifacts: list[str] = Field(description="Patterns of the files that are kept of each attempt.")


class SpecSummary(Shown):
    """A piece of work for one project, without its chunks."""

    id: int
    project: ProjectName
    key: str = Field(description="Its stable name within the project.")
    title: str
    description: str
    priority: int = Field(description="-100 to 100; higher starts first.")
    on_failure: Literal[tuple(OnFailure.values)]  # type: ignore[valid-type]
    max_attempts: int = Field(description="Attempts per chunk.")
    touches: list[str] = Field(description="Patterns of the files that it changes.")
    source_path: str = Field(description="The file that it was imported from; empty without one.")
    imported_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, spec: Spec, **more: Any) -> Self:
        """One spec, with its project read."""
        return cls.copied(spec, project=ProjectName.copied(spec.project), **more)


class SpecOut(SpecSummary):
    """A piece of work for one project."""

    chunks: list[ChunkOut]

    @classmethod
    def whole(cls, spec: Spec) -> "SpecOut":
        """One spec with its chunks."""
        return cls.of(spec, chunks=[ChunkOut.copied(chunk) for chunk in spec.chunks.all()])


SpecChange = partly("SpecChange", NativeSpec, "What shall become different; `chunks` replaces all of them.")
