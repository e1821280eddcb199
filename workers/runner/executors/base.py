"""What an executor is: a named way of carrying out a chunk, with its own parameters."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel


class Outcome(StrEnum):
    """How a request ended."""

    PASSED = "passed"  # it did what it should
    FAILED = "failed"  # it did not; `reason` says why
    INTERRUPTED = "interrupted"  # it was ended from outside before it could tell; no attempt is charged


class Reason(StrEnum):
    """Why a request did not pass, for programs. A passed one has none ("")."""

    COMMAND_FAILED = "command_failed"  # the command ended with an exit code other than 0, or by a signal
    COMMAND_NOT_FOUND = "command_not_found"  # exit code 127, or the system could not start it
    TIME_LIMIT = "time_limit"  # it ran longer than its wall time, pauses not counted
    WORKSPACE_MISSING = "workspace_missing"  # its directory was not there, or not any more at the end
    REVIEW_FAILED = "review_failed"  # the review command ended with an exit code other than 0
    SETUP_FAILED = "setup_failed"  # the preparation command ended with an exit code other than 0
    COPY_FAILED = "copy_failed"  # the project could not be copied into the workspace
    GIT_FAILED = "git_failed"  # git could not make, commit or put back the worktree
    INTERRUPTED = "interrupted"  # stop, drain or quit while it ran
    BAD_PARAMS = "bad_params"  # unknown executor, or parameters that it does not take
    INTERNAL_ERROR = "internal_error"  # a defect of ours or of an executor; runner.log has the traceback


@dataclass(frozen=True)
class Result:
    """How a request ended. The runner itself fills in the counters and the findings."""

    outcome: Outcome
    reason: Reason | str = ""
    message: str = ""
    exit_code: int | None = None
    findings: str = ""
    bytes: int = 0
    lines: int = 0
    leftovers: int = 0
    facts: dict[str, Any] = field(default_factory=dict)  # what its request was for, such as a commit


@dataclass(frozen=True)
class Context:
    """What an executor may know and do. Every wait in it ends with CancelledError on a stop or a time limit."""

    worker: int
    attempt: int | None
    cwd: str
    findings: str
    run: Callable[[list[str]], Awaitable[int]]
    """Start an argv in the workspace, wait for its end and return its exit code (negative: a signal).
    Waits while the run is paused. Raises OSError or ValueError when it cannot be started."""


class Executor(ABC):
    """One way of carrying out a chunk. Registered in the entry-point group `specyard.executors`."""

    name: ClassVar[str]
    Params: ClassVar[type[BaseModel]]
    can_freeze: ClassVar[bool] = True  # stopping its processes is a pause that it survives
    can_answer: ClassVar[bool] = False  # it may ask a person and wait for the answer
    keeps_session: ClassVar[bool] = False  # it stays warm between the chunks of a worker
    leaves_nothing: ClassVar[bool] = False  # in the runner's own process, which may then carry out another run

    @abstractmethod
    async def execute(self, context: Context, params: Any) -> Result:
        """Carry the chunk out and say how it went. `params` is an instance of `Params`."""
