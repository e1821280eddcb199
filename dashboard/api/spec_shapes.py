"""A spec with its chunks as the API shows it and takes it."""

from copy import copy
from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import BaseModel, Field, create_model
from pydantic_core import PydanticUndefined

from dashboard.api.paging import Body
from dashboard.api.worker_shapes import ProjectName
from specs.importers.native import NativeSpec
from specs.models import Chunk, OnFailure, Spec


class ChunkOut(Schema):
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
    artifacts: list[str]

    @classmethod
    def of(cls, chunk: Chunk) -> "ChunkOut":
        """As it is."""
        return cls(**{name: getattr(chunk, name) for name in cls.model_fields})


class SpecSummary(Schema):
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
    def of(cls, spec: Spec, **more: Any) -> Any:
        """One spec, with its project read."""
        own = {"project", "chunks"}
        same = {name: getattr(spec, name) for name in cls.model_fields if name not in own}
        return cls(**same, project=ProjectName.of(spec.project), **more)


class SpecOut(SpecSummary):
    """A piece of work for one project."""

    chunks: list[ChunkOut]

    @classmethod
    def whole(cls, spec: Spec) -> "SpecOut":
        """One spec with its chunks."""
        found: SpecOut = cls.of(spec, chunks=[ChunkOut.of(chunk) for chunk in spec.chunks.all()])
        return found


def left_out(**facts: Any) -> Any:
    """A field that may be left out, without a default that a program would take for one."""
    return Field(default_factory=lambda: None, **facts)


def partly(name: str, model: type[BaseModel], description: str) -> type[Body]:
    """The model with every field free to be left out: what is left out stays as it is."""
    fields: dict[str, Any] = {}
    for field, info in model.model_fields.items():
        free = copy(info)
        free.default, free.default_factory = PydanticUndefined, lambda: None
        fields[field] = (info.annotation, free)
    return create_model(name, __base__=Body, __doc__=description, **fields)


SpecChange = partly("SpecChange", NativeSpec, "What shall become different; `chunks` replaces all of them.")
