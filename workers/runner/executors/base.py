"""What an executor is: a named way of carrying out a chunk, with its own parameters."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from workers.runner.masking import Mask
from workers.runner.messages import Answer, Tell, Work


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
    REVIEW_NO_VERDICT = "review_no_verdict"  # the reviewing agent gave no verdict, also when asked again
    AGENT_MISSING = "agent_missing"  # the agent's command is not installed, or could not be started
    AGENT_HANDSHAKE = "agent_handshake"  # the agent did not introduce itself, or gave no session, in time
    AGENT_EXITED = "agent_exited"  # the agent's process ended in the middle of its work, repeatedly
    AGENT_PROTOCOL = "agent_protocol"  # the agent sent what is no message of its protocol, or one that is too big
    AGENT_SILENT = "agent_silent"  # nothing came from the agent for longer than its profile allows
    AGENT_EMPTY = "agent_empty"  # the agent ended its turn without a word and without using a tool
    AGENT_REFUSED = "agent_refused"  # the model refuses to go on
    AGENT_LIMIT = "agent_limit"  # the model reached the most tokens or requests of a turn, repeatedly
    AGENT_BLOCKED = "agent_blocked"  # the agent says that it cannot go on, also with what a person answered
    PROVIDER_RATE_LIMIT = "provider_rate_limit"  # the model's provider takes no more requests for now
    PROVIDER_CREDENTIALS = "provider_credentials"  # the provider does not accept the credentials, or there are none
    PROVIDER_MODEL = "provider_model"  # the provider or the agent does not know the model
    PROVIDER_CONNECTION = "provider_connection"  # the provider could not be reached, or the connection broke
    PROVIDER_ERROR = "provider_error"  # anything else that the agent reports as an error
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


class Process(Protocol):
    """A process that stays from one request to the next."""

    pid: int
    exited: "asyncio.Future[int]"
    """Becomes its exit code (negative: a signal)."""

    def write(self, data: bytes) -> None:
        """Give it input, in order. What it cannot take any more is lost."""


class Desk(Protocol):
    """What an executor can do beside running commands: keep a process, ask people, tell what goes on."""

    kept: dict[str, Any]
    """What stays in memory from one request of the run to the next."""
    mailbox: list[Tell]
    """What people have said and nobody has been told yet."""
    directory: Path
    """The directory of the run."""
    log: Path
    """The log file of the attempt. What else is stored about the attempt lies beside."""
    mask: Mask
    """Hides secrets. What `write` and `journal` are given goes through it, and what a Result says."""

    async def start(
        self,
        argv: list[str],
        env: dict[str, str],
        output: Callable[[bytes], None],
        errors: Callable[[bytes], None],
    ) -> Process:
        """Start a process that may outlive the request, but not the run. Raises OSError or ValueError."""

    def keep(self, process: Process) -> None:
        """Leave the process, with all below it, alive at the end of this and of later requests, until it exits."""

    async def capture(self, argv: list[str], env: dict[str, str] | None = None) -> tuple[int, str]:
        """Run a command in the workspace; its exit code and its output, which goes into no log."""

    def write(self, data: bytes) -> None:
        """Add to the output of the attempt."""

    def journal(self, kind: str, **fields: Any) -> None:
        """Write an entry of this request into the journal, which the worker's owner reads."""

    def new_question(self) -> str:
        """A name for the next question of this request."""

    async def ask(self, key: str, *, on_the_clock: bool = False, **question: Any) -> Answer:
        """Put a question with that name to a person. The wall time stands still until it is answered.

        `on_the_clock`: it does not, because the asker may go on meanwhile, and holds the clock itself when it does not.
        """

    def off_the_clock(self) -> AbstractContextManager[None]:
        """Within: the wall time stands still."""

    def is_running(self) -> bool:
        """Whether the run is not paused."""

    async def until_running(self) -> None:
        """Wait until the run is not paused."""


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
    desk: Desk
    request: Work


class Executor(ABC):
    """One way of carrying out a chunk. Registered in the entry-point group `specyard.executors`."""

    name: ClassVar[str]
    Params: ClassVar[type[BaseModel]]
    can_freeze: ClassVar[bool] = True  # stopping its processes is a pause that it survives
    can_answer: ClassVar[bool] = False  # it may ask a person and wait for the answer
    keeps_session: ClassVar[bool] = False  # it stays warm between the chunks of a worker
    leaves_nothing: ClassVar[bool] = False  # in the runner's own process, which may then carry out another run

    async def pause(self) -> None:  # noqa: B027  most have nothing to do
        """Come to a point at which everything can be frozen; called before that, and waited for 2 s at most."""

    def mail_came(self) -> None:  # noqa: B027
        """A person has said something; it is in the desk's mailbox."""

    @abstractmethod
    async def execute(self, context: Context, params: Any) -> Result:
        """Carry the chunk out and say how it went. `params` is an instance of `Params`."""
