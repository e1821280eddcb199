"""What clients say to a runner: one model per operation. Unknown keys are ignored: a runner outlives upgrades."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError, model_validator


def can_be_an_argument(text: str) -> str:
    """For validators: text that a process can be given. Raises ValueError."""
    if "\0" in text:
        raise ValueError("must not contain NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


def _can_be_a_name(text: str) -> str:
    if not text or "=" in text:
        raise ValueError("must be a variable's name")
    return can_be_an_argument(text)


Text = Annotated[str, AfterValidator(can_be_an_argument)]
Path = Annotated[str, Field(min_length=1), AfterValidator(can_be_an_argument)]
Name = Annotated[str, AfterValidator(_can_be_a_name)]


class Attach(BaseModel):
    """Obey this epoch and stream the journal from entry `from` on."""

    op: Literal["attach"]
    epoch: int = Field(ge=0)
    start: int = Field(default=1, ge=1, alias="from")


class _Control(BaseModel):
    worker: int | None = None


class Pause(_Control):
    op: Literal["pause"]


class Resume(_Control):
    op: Literal["resume"]


class Interrupt(_Control):
    op: Literal["interrupt"]
    reason: Literal["stop", "drain"] = "stop"


class Quit(_Control):
    op: Literal["quit"]


class Answer(_Control):
    """A person's answer to a question: one of its options, or words."""

    op: Literal["answer"]
    question: str = Field(min_length=1)
    option: str = ""
    text: str = ""


class Tell(_Control):
    """A person's words to the agent at work, said at the end of its turn; with `now` the turn is cancelled first."""

    op: Literal["tell"]
    message: int
    text: str = Field(min_length=1)
    now: bool = False


class Work(BaseModel):
    """What prepare, execute and review have in common. Times in seconds."""

    worker: int
    request: str = Field(min_length=1, max_length=200)
    attempt: int | None = None
    cwd: Path
    env: dict[Name, Text] = {}
    secrets: dict[Name, Text] = {}  # variables too, of commands and agents; hidden in whatever is told
    log: Path
    timeout: float = Field(default=1800.0, gt=0, allow_inf_nan=False)
    grace: float = Field(default=5.0, ge=0, le=600, allow_inf_nan=False)


class Copy(BaseModel):
    """Copy a project's directory. `target` appears whole or not at all; one that is there counts as done."""

    source: Path
    target: Path


class Worktree(BaseModel):
    """Make a git worktree at `target` with a branch of this name (or name-2 …) from the branch `base` as it is now.

    Where the directory is in no repository, it is copied to `target`. One whose record begins with `ahead` is taken
    over instead; it stays where it is.
    """

    repository: Path
    target: Path
    branch: Path
    base: Text = ""
    ahead: Text = ""


class Ahead(BaseModel):
    """Make a worktree at `target` for whoever comes, bring it up to date with the branch `base`, or remove it.

    No command is run in it: that waits for whoever takes it over.
    `record` and a suffix is the file that says how far it is.
    """

    task: Literal["make", "renew", "remove"]
    repository: Path
    target: Path
    record: Path
    base: Text = ""


class Prepare(Work):
    op: Literal["prepare"]
    copied: Copy | None = Field(default=None, alias="copy")
    worktree: Worktree | None = None
    ahead: Ahead | None = None
    command: Text = ""
    note: str = "setup"  # what the log calls the command


class Passed(BaseModel):
    """A chunk that has passed before."""

    title: str
    commit: str = ""


class Task(BaseModel):
    """What an agent is to do, as the spec says it."""

    spec: str
    title: str
    key: str = ""
    ordinal: int = 1
    total: int = 1
    instructions: str = ""
    acceptance: list[str] = []
    files: list[str] = []
    passed: list[Passed] = []
    note: str = ""  # what a person said when asking for this attempt
    undone: bool = False  # what was changed since the last chunk that passed


class Profile(BaseModel):
    """How an agent is started. Seconds without a sign of life: `handshake` at the start, `silence` in a turn."""

    name: str
    command: Path
    arguments: list[Text] = []
    environment: dict[Name, Text] = {}
    secrets: dict[Name, Text] = {}
    model: str = ""
    mode: str = ""
    permission: Literal["ask", "allow", "listed"] = "ask"
    allowed: list[str] = []
    handshake: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    silence: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    login_files: list[Text] = []


class AgentReview(BaseModel):
    """A review by an agent: what it is told, and the commit that the work began with ("": unknown).

    `own`: the workspace is the worker's own, so that what changes in it meanwhile is the reviewer's doing.
    """

    profile: Profile
    task: Task
    instructions: str = ""
    base: str = Field(default="", pattern=r"^([0-9a-f]{7,64})?$")
    own: bool = False


class Execute(Work):
    op: Literal["execute"]
    executor: str = "command"
    params: dict[str, Any] = {}
    findings: str = ""
    task: Task | None = None
    profile: Profile | None = None
    session: str = ""  # of this worker's agent, when its runner died
    base: str = Field(default="", pattern=r"^([0-9a-f]{7,64})?$")  # what an attempt that was broken off began with
    agent_data: Text = ""  # a directory for what the agents of this worker store


class Review(Work):
    """By command, by agent, or by both in this order."""

    op: Literal["review"]
    command: Text = ""
    agent: AgentReview | None = None
    agent_data: Text = ""

    @model_validator(mode="after")
    def _somebody_reviews(self) -> "Review":
        if not self.command and self.agent is None:
            raise ValueError("a command or an agent must review")
        return self


class Checkpoint(Work):
    """Commit what has changed in the worktree, on its branch, which stood at `base` after the last one."""

    op: Literal["checkpoint"]
    message: Text = Field(min_length=1)
    branch: Text = ""
    base: str = Field(default="", pattern=r"^([0-9a-f]{7,64})?$")


class Restore(Work):
    """Put the worktree back to a commit of its branch."""

    op: Literal["restore"]
    branch: Path
    commit: str = Field(pattern=r"^[0-9a-f]{7,64}$")


class Collect(Work):
    """Copy the files in `cwd` that match one of the patterns to the directory `target`, which is made anew.

    At most so many of them (`most`), each of so many bytes, and all together.
    """

    op: Literal["collect"]
    patterns: list[Text] = Field(min_length=1)
    target: Path
    most: int = Field(default=200, ge=1)
    each: int = Field(default=100 * 10**6, ge=1)
    total: int = Field(default=500 * 10**6, ge=1)


def secrets_of(message: Work) -> list[str]:
    """The values of all secrets that a request carries."""
    agents = [getattr(message, "profile", None), getattr(getattr(message, "agent", None), "profile", None)]
    found = [message.secrets, *(agent.secrets for agent in agents if isinstance(agent, Profile))]
    return [value for secrets in found for value in secrets.values()]


Control = Pause | Resume | Interrupt | Answer | Tell | Quit
Message = Attach | Control | Prepare | Execute | Review | Checkpoint | Restore | Collect
_ADAPTER: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="op")])


class BadMessage(ValueError):
    """A line that is no message: a sentence that names the field, and the request that it was for, if any."""

    def __init__(self, sentence: str, request: object = None) -> None:
        super().__init__(sentence)
        self.request = request if isinstance(request, str) else None


def parse(line: bytes) -> Message:
    """One line as a message. Raises BadMessage.

    Read by `json`, which lets lone surrogates pass: the parameter that holds one is then named as wrong.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not JSON: {error}") from None
    try:
        return _ADAPTER.validate_python(value)
    except ValidationError as error:
        raise BadMessage(
            "; ".join(describe(error)), value.get("request") if isinstance(value, dict) else None
        ) from None


def describe(error: ValidationError) -> list[str]:
    """pydantic's findings as `field: what is wrong`."""
    found = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in item["loc"])
        found.append(f"{where}: {item['msg']}" if where else item["msg"])
    return found
