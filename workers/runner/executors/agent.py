"""The `agent` executor: a coding agent works on the chunk, over the Agent Client Protocol."""

import asyncio
import importlib
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from workers.runner.executors.base import Context, Executor, Outcome, Reason, Result
from workers.runner.messages import AgentReview, Execute, Review, can_be_an_argument

if TYPE_CHECKING:
    from types import ModuleType

    from workers.runner.agents.work import AgentWork

Text = Annotated[str, AfterValidator(can_be_an_argument)]


class Params(BaseModel):
    """What the `agent` executor takes."""

    model_config = ConfigDict(extra="forbid")

    profile: Text = Field(default="", title="Profile", description="Empty: the project's own, else opencode.")
    prompt: Text = Field(default="", title="Prompt", description="Said before the chunk's instructions.")
    model: Text = Field(default="", title="Model", description="Instead of the profile's.")
    mode: Text = Field(default="", title="Mode", description="Instead of the profile's.")


async def _package() -> "ModuleType":
    """What speaks with agents; loaded when the first one is needed, while the runner goes on to listen."""
    return await asyncio.to_thread(importlib.import_module, "workers.runner.agents.work")


class _Talking(Executor):
    """What working and reviewing have in common."""

    can_answer = True
    keeps_session = True

    def __init__(self) -> None:
        self._work: AgentWork | None = None

    async def pause(self) -> None:
        if self._work is not None:
            await self._work.conversation.pause()

    def mail_came(self) -> None:
        if self._work is not None:
            self._work.conversation.mail_came()


class Agent(_Talking):
    """Has the agent of a profile work on the chunk, in a session that stays from chunk to chunk."""

    name = "agent"
    Params = Params

    async def execute(self, context: Context, params: Any) -> Result:
        request = context.request
        if not isinstance(request, Execute) or request.profile is None or request.task is None:
            return Result(Outcome.FAILED, Reason.BAD_PARAMS, "profile, task: an agent needs both")
        wanted = {name: value for name in ("model", "mode") if (value := getattr(params, name))}
        profile = request.profile.model_copy(update=wanted)
        self._work = (await _package()).ChunkWork(context, request, profile, request.task, params.prompt)
        return await self._work.run()


class Reviewer(_Talking):
    """Has the agent of a profile review the chunk. Not in the registry: reviews are no chunks."""

    name = "agent_review"
    Params = AgentReview

    async def execute(self, context: Context, params: Any) -> Result:
        request = context.request
        self._work = (await _package()).ReviewWork(
            context, params, request.agent_data if isinstance(request, Review) else ""
        )
        return await self._work.run()
