"""What events tell: the shape of `data` for every kind, from which docs/events.schema.json and docs/events.md are made.

    python manage.py event_document

The tests hold every event that is written against these shapes, so what is written here is what programs get. A field
that is not always there is left out when there is nothing to tell; null is only the spec of a worker that has been
deleted. Fields are added in time: programs should pass over what they do not know.
"""

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from workers.states import AttemptStatus, ChunkOutcome, EventKind, LandingKind, Reason, Step, Wish, WorkerStatus

RESET, TEST = "reset", "test"  # kinds that nobody writes into the outbox
OnlyThese = with_config(ConfigDict(extra="forbid", strict=True))

By = Annotated[str, Field(description="The name of whoever asked for it; empty when nobody did.")]
SpecId = Annotated[int, Field(description="The spec's id.")]
AttemptId = Annotated[int, Field(description="The attempt's id.")]
Title = Annotated[str, Field(description="The spec's title when the worker was accepted.")]
ProjectName = Annotated[str, Field(description="The project's name.")]
MaybeSpec = Annotated[int | None, Field(description="The spec's id; null when the spec was deleted meanwhile.")]
NoReason = Literal[""]


@OnlyThese
class QueueUpdated(TypedDict):
    """The queue has changed."""

    action: Annotated[
        Literal["added", "removed", "changed", "moved", "started", "paused", "resumed"],
        Field(description="What happened to the entry; paused and resumed: to the whole queue."),
    ]
    entry: NotRequired[Annotated[int, Field(description="The entry's id.")]]
    spec: NotRequired[Annotated[int, Field(description="The id of the entry's spec.")]]
    worker: NotRequired[Annotated[int, Field(description="started: the id of the worker that the entry became.")]]
    by: NotRequired[By]
    priority: NotRequired[Annotated[int, Field(description="moved: the priority that it has now.")]]
    priority_changed: NotRequired[Annotated[bool, Field(description="moved: whether that is another one than before.")]]


@OnlyThese
class WorkerStarted(TypedDict):
    """A worker was accepted into a slot (with `slot`), or has been taken into work by its node."""

    spec: MaybeSpec
    project: ProjectName
    title: Title
    status: Annotated[WorkerStatus, Field(description="idle or running.")]
    slot: NotRequired[Annotated[int, Field(description="The slot that it holds.")]]


@OnlyThese
class WorkerProgress(TypedDict):
    """Something about a worker has changed; only what has is told."""

    step: NotRequired[Annotated[Step, Field(description="What it does now.")]]
    chunk: NotRequired[Annotated[int, Field(description="The number of the chunk in the plan, from 1.")]]
    attempt: NotRequired[AttemptId]
    outcome: NotRequired[
        Annotated[
            AttemptStatus | ChunkOutcome,
            Field(description="How the attempt has ended; skipped: the chunk was left out."),
        ]
    ]
    log_bytes: NotRequired[Annotated[int, Field(description="How far the log of the attempt reaches.")]]
    transcript_bytes: NotRequired[Annotated[int, Field(description="How far the conversation of its agent reaches.")]]
    profile: NotRequired[Annotated[str, Field(description="The name of the agent profile that works on it.")]]
    tokens_in: NotRequired[Annotated[int, Field(description="What the agent has read in this attempt so far.")]]
    tokens_out: NotRequired[Annotated[int, Field(description="What the agent has written in this attempt so far.")]]
    used: NotRequired[
        Annotated[
            dict[str, str],
            Field(description="With outcome: what the agent has used, tokens by kind and `cost` in dollars."),
        ]
    ]
    desired: NotRequired[Annotated[Wish, Field(description="What somebody wants of it; not true yet.")]]
    waits_for: NotRequired[
        Annotated[str, Field(description="What it waits for by itself, in words; empty: no longer.")]
    ]
    message: NotRequired[Annotated[int, Field(description="The id of a message to its agent: sent, or said.")]]
    landing: NotRequired[Annotated[LandingKind, Field(description="What is to become of its branch.")]]
    failed: NotRequired[Annotated[bool, Field(description="landing: it is over, and whether in vain.")]]
    removed: NotRequired[Annotated[bool, Field(description="It leaves the list of active workers.")]]
    by: NotRequired[By]


@OnlyThese
class WorkerPaused(TypedDict):
    """The whole process tree of a worker is frozen."""

    by: By


@OnlyThese
class WorkerResumed(TypedDict):
    """A worker goes on."""


@OnlyThese
class WorkerAttention(TypedDict):
    """A worker waits for a person, or no longer."""

    open: Annotated[int, Field(ge=0, description="How many of its questions wait for an answer.")]


@OnlyThese
class WorkerEnded(TypedDict):
    """A worker has ended."""

    spec: MaybeSpec
    project: ProjectName
    title: Title
    status: Annotated[WorkerStatus, Field(description="completed, failed or stopped.")]
    reason: Annotated[Reason | NoReason, Field(description="Why, for programs; empty when it has completed.")]
    error: Annotated[str, Field(description="Why, for people; empty when it has completed.")]


@OnlyThese
class NodeChanged(TypedDict):
    """A machine comes or goes."""

    node: Annotated[str, Field(description="The machine's name.")]


@OnlyThese
class SettingsChanged(TypedDict):
    """Something that people set up was written or deleted."""

    action: NotRequired[
        Annotated[
            Literal[
                "project_saved",
                "project_deleted",
                "spec_saved",
                "spec_deleted",
                "agentprofile_saved",
                "agentprofile_deleted",
            ],
            Field(description="What was written or deleted."),
        ]
    ]
    project: NotRequired[Annotated[int, Field(description="project_saved: its id.")]]
    spec: NotRequired[Annotated[int, Field(description="spec_saved: its id.")]]
    agentprofile: NotRequired[Annotated[int, Field(description="agentprofile_saved: its id.")]]
    limit: NotRequired[Annotated[int, Field(description="How many workers may run at once from now on.")]]
    specs: NotRequired[Annotated[int, Field(description="How many specs came with the demo.")]]
    by: NotRequired[By]


@OnlyThese
class Reset(TypedDict):
    """Events were missed for good: read the state anew. What follows is new."""

    wanted: Annotated[int, Field(description="The event after which you wanted to go on.")]
    oldest: Annotated[int, Field(description="The oldest event that is still there.")]


@OnlyThese
class Test(TypedDict):
    """Somebody has tried a webhook."""

    by: By


@dataclass(frozen=True)
class Shape:
    """What an event of one kind looks like."""

    data: Any  # a TypedDict
    of_worker: bool  # whether it carries a worker's id
    words: str  # when it is written
    example: dict[str, Any] = field(default_factory=dict)


_ABOUT: dict[str, Any] = {"spec": 7, "project": "storefront", "title": "Add a cart"}
_FAILED = {"reason": Reason.CHUNK_FAILED.value, "error": "Chunk 2 failed after 3 attempts."}
_STOPPED = {"reason": Reason.STOPPED.value, "error": "Stopped by mira."}
_ENDED = {"attempt": 31, "outcome": "passed", "chunk": 2}
SHAPES: dict[str, Shape] = {
    EventKind.QUEUE_UPDATED: Shape(
        QueueUpdated,
        False,
        "An entry was added, moved, changed, removed or started; the queue was paused or resumed.",
        {"action": "added", "entry": 40, "spec": 7, "by": "mira"},
    ),
    EventKind.WORKER_STARTED: Shape(
        WorkerStarted,
        True,
        "A worker was accepted into a slot, or taken into work by its node.",
        {**_ABOUT, "status": "running", "slot": 1},
    ),
    EventKind.WORKER_PROGRESS: Shape(
        WorkerProgress, True, "A step, a chunk's outcome, output, usage, a wish, a message.", _ENDED
    ),
    EventKind.WORKER_PAUSED: Shape(WorkerPaused, True, "Its whole process tree is frozen.", {"by": "mira"}),
    EventKind.WORKER_RESUMED: Shape(WorkerResumed, True, "Its process tree goes on.", {}),
    EventKind.WORKER_ATTENTION: Shape(
        WorkerAttention, True, "It waits for a person, or no longer, or for another answer.", {"open": 1}
    ),
    EventKind.WORKER_COMPLETED: Shape(
        WorkerEnded, True, "It ended well.", {**_ABOUT, "status": "completed", "reason": "", "error": ""}
    ),
    EventKind.WORKER_FAILED: Shape(
        WorkerEnded, True, "It ended with a reason.", {**_ABOUT, "status": "failed", **_FAILED}
    ),
    EventKind.WORKER_STOPPED: Shape(
        WorkerEnded,
        True,
        "A person ended it, or put it back into the queue.",
        {**_ABOUT, "status": "stopped", **_STOPPED},
    ),
    EventKind.NODE_ONLINE: Shape(NodeChanged, False, "It has registered, or is heard again.", {"node": "yard-1"}),
    EventKind.NODE_DRAINING: Shape(NodeChanged, False, "It takes no new work.", {"node": "yard-1"}),
    EventKind.NODE_OFFLINE: Shape(NodeChanged, False, "It has said goodbye, or is silent.", {"node": "yard-1"}),
    EventKind.SETTINGS_CHANGED: Shape(
        SettingsChanged,
        False,
        "The limit of workers; a project, a spec or an agent profile was written or deleted.",
        {"action": "spec_saved", "spec": 7},
    ),
    RESET: Shape(
        Reset,
        False,
        "The events that you have missed are not there any more: read the state anew.",
        {"wanted": 17, "oldest": 4711},
    ),
    TEST: Shape(Test, False, "Somebody has tried a webhook; only webhooks get it.", {"by": "mira"}),
}


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(SHAPES[kind].data)


def check(kind: str, worker_id: int | None, data: Any) -> None:
    """Hold an event against its shape, as JSON has it. Raises KeyError or ValueError, which say why not."""
    _adapter(kind).validate_json(json.dumps(data))
    if (worker_id is not None) != SHAPES[kind].of_worker:
        raise ValueError(f"{kind} with the worker {worker_id}")


def data_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of `data` for one kind, with nothing to be looked up elsewhere."""
    return _adapter(kind).json_schema()
