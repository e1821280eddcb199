"""The native format: one YAML file per spec (docs/spec-format.md)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from specs import limits
from specs.errors import SpecInvalid
from specs.importers import types
from specs.importers.document import ChunkDocument, SpecDocument
from specs.importers.messages import errors_of
from specs.importers.rules import checked
from specs.importers.safe_yaml import load
from specs.usual import time_limit

SUFFIXES = (".yaml", ".yml")
name = "native"


class Strict(BaseModel):
    """Takes nothing else, and types literally. Descriptions as docstrings would cost each start of a command 70 ms."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NativeAgentReview(Strict):
    """A review by an agent, in a session of its own in which it may only read."""

    profile: types.Name | None = Field(
        default=None, description="The agent profile. Without it, the project's default profile."
    )
    instructions: types.Text = Field(
        default="", description="What to look at, beside the instructions and criteria of the chunk."
    )


class NativeReview(Strict):
    """How the result of a chunk is reviewed: by a command, by an agent, or by both, the command first."""

    command: types.Command | None = Field(
        default=None, description="A shell command; the chunk has passed when it ends with status 0."
    )
    agent: NativeAgentReview | None = Field(
        default=None, description="An agent that reads what has changed and gives a verdict with findings."
    )

    def stored(self) -> dict[str, Any]:
        """As a chunk holds it."""
        review: dict[str, Any] = {"command": self.command} if self.command else {}
        if self.agent is not None:
            review["agent"] = {"profile": self.agent.profile or "", "instructions": self.agent.instructions}
        return review


class NativeDefaults(Strict):
    """Values for every chunk that does not give its own."""

    executor: types.Name | None = Field(
        default=None, description="The executor of chunks that name none. Without it, the project's default executor."
    )
    params: dict[str, Any] | None = Field(
        default=None, description="Parameters for chunks that have the default executor and no `params`."
    )
    review: NativeReview | None = Field(default=None, description="The review of chunks that have none.")
    timeout: types.Duration | None = Field(
        default=None, description="Wall time for one attempt at a chunk that gives none."
    )


class NativeChunk(Strict):
    """One step."""

    key: types.Name | None = Field(
        default=None, description="Stable name, unique in the spec. Default: c1, c2, … by position."
    )
    title: types.Title = Field(description="What the step does, in one line.")
    instructions: types.Text = Field(default="", description="What to do, at any length.")
    acceptance: types.Items = Field(default=[], description="Criteria that tell when the step is done.")
    executor: types.Name | None = Field(
        default=None,
        description="What carries the step out. Default: `defaults.executor`, else the project's default executor.",
    )
    params: dict[str, Any] | None = Field(
        default=None, description='The executor\'s parameters, for example {run: "make"} for the executor "command".'
    )
    review: NativeReview | None = Field(
        default=None,
        description="How the result is reviewed. Without it, `defaults.review`, else the project's review command.",
    )
    timeout: types.Duration | None = Field(
        default=None,
        description='Wall time for one attempt: "30m", "10s", "1h30m" or seconds, between 10s and 24h. '
        "Default: as set, 30m.",
    )
    depends_on: types.Names = Field(default=[], description="Keys of the chunks that must have passed before.")
    files: types.InsidePaths = Field(default=[], description="Files that the step is about.")
    artifacts: types.InsidePaths = Field(
        default=[], description="Files that the step makes and that are kept with its result."
    )


class NativeSpec(Strict):
    """A spec: a piece of work for one project, split into chunks."""

    title: types.Title = Field(description="What the spec is about, in one line.")
    description: types.Text = Field(default="", description="More about it, at any length.")
    priority: int = Field(
        default=0, ge=limits.PRIORITY_LOWEST, le=limits.PRIORITY_HIGHEST, description="Higher starts first."
    )
    on_failure: Literal["stop", "continue"] = Field(
        default="stop",
        description="When a chunk has failed for good: stop the run, or go on with what does not depend on it.",
    )
    max_attempts: int = Field(
        default=limits.ATTEMPTS_DEFAULT,
        ge=limits.ATTEMPTS_FEWEST,
        le=limits.ATTEMPTS_MOST,
        description="How often a chunk may be tried.",
    )
    touches: types.InsidePaths = Field(default=[], description="Patterns of the files that the spec changes.")
    defaults: NativeDefaults = Field(
        default=NativeDefaults(), description="Values for every chunk that does not give its own."
    )
    chunks: list[NativeChunk] = Field(
        min_length=1, max_length=limits.CHUNKS, description="The steps, in the order in which they run."
    )


def detect(path: Path) -> bool:
    """Whether `path` looks like a spec in this format."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def parse(text: str, default_executor: str = "command") -> SpecDocument:
    """The spec in `text`. Raises SpecInvalid with every field that is wrong."""
    if len(text) > limits.FILE_SIZE or len(text.encode(errors="replace")) > limits.FILE_SIZE:
        raise SpecInvalid([("", f"larger than {limits.FILE_SIZE // 1024:,} KiB")])
    data = load(text)
    if not isinstance(data, dict):
        raise SpecInvalid([("", "must be a mapping with `title` and `chunks`")])
    return from_data(data, default_executor)


def from_data(data: Mapping[str, Any], default_executor: str = "command") -> SpecDocument:
    """The spec in data of the same shape as the text. Raises SpecInvalid with every field that is wrong."""
    _refuse_too_many_chunks(data)
    try:
        native = NativeSpec.model_validate(data)
    except ValidationError as error:
        raise SpecInvalid(errors_of(error, NativeSpec)) from error
    _refuse_heavy_defaults(native)
    return checked(_document(native, default_executor))


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the format, as docs/spec.schema.json holds it."""
    schema = NativeSpec.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _refuse_too_many_chunks(data: Mapping[str, Any]) -> None:
    """Before each of them is looked at."""
    chunks = data.get("chunks")
    if isinstance(chunks, list) and len(chunks) > limits.CHUNKS:
        raise SpecInvalid([("chunks", f"has {len(chunks):,} chunks; at most {limits.CHUNKS} are allowed")])


def _refuse_heavy_defaults(native: NativeSpec) -> None:
    """Defaults are stored with each chunk: a small file must not become a huge spec."""
    if len(json.dumps(native.defaults.model_dump())) * len(native.chunks) > limits.FILE_SIZE:
        raise SpecInvalid([("defaults", f"too large to be repeated in {len(native.chunks)} chunks")])


def _document(native: NativeSpec, default_executor: str) -> SpecDocument:
    fields = native.model_dump(exclude={"defaults", "chunks"})
    chunks = [_chunk(chunk, index, native.defaults, default_executor) for index, chunk in enumerate(native.chunks)]
    return SpecDocument(**fields, chunks=chunks)


def _chunk(chunk: NativeChunk, index: int, defaults: NativeDefaults, default_executor: str) -> ChunkDocument:
    usual = defaults.executor or default_executor
    executor = chunk.executor or usual
    params = chunk.params
    if params is None:
        # The parameters of one executor mean nothing to another.
        params = defaults.params if executor == usual and defaults.params is not None else {}
    review = chunk.review if chunk.review is not None else defaults.review
    return ChunkDocument(
        key=chunk.key or f"c{index + 1}",
        title=chunk.title,
        instructions=chunk.instructions,
        acceptance=chunk.acceptance,
        executor=executor,
        params=params,
        review=review.stored() if review else {},
        timeout=chunk.timeout or defaults.timeout or time_limit(executor),
        depends_on=list(dict.fromkeys(chunk.depends_on)),
        files=chunk.files,
        artifacts=chunk.artifacts,
    )
