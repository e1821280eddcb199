"""What every importer produces: a whole spec as plain data, independent of the format it was written in."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from specs import limits


@dataclass(frozen=True)
class ChunkDocument:
    """One chunk. `timeout` in seconds; `review` may have "command" and "agent" (with "profile" and "instructions")."""

    key: str
    title: str
    instructions: str = ""
    acceptance: list[str] = field(default_factory=list)
    executor: str = "command"
    params: dict[str, Any] = field(default_factory=dict)
    review: dict[str, Any] = field(default_factory=dict)
    timeout: int = limits.TIMEOUT_DEFAULT
    depends_on: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SpecDocument:
    """A spec with its chunks in the order in which they run."""

    title: str
    chunks: list[ChunkDocument]
    description: str = ""
    priority: int = 0
    on_failure: str = "stop"
    max_attempts: int = limits.ATTEMPTS_DEFAULT
    touches: list[str] = field(default_factory=list)

    def same_as(self, other: "SpecDocument") -> bool:
        """Equality that tells 1 from true, and to which the order of keys means nothing."""
        return canonical(asdict(self)) == canonical(asdict(other))


def canonical(value: Any) -> str:
    """One text for one JSON value (Python's own comparison takes 1, 1.0 and True for the same)."""
    return json.dumps(value, sort_keys=True)
