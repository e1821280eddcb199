"""The `command` executor: a shell command, judged by its exit status."""

import errno
import os
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from workers.runner.executors.base import Context, Executor, Outcome, Reason, Result
from workers.runner.exits import NOT_FOUND, describe
from workers.runner.messages import can_be_an_argument


class Params(BaseModel):
    """What the `command` executor takes."""

    model_config = ConfigDict(extra="forbid")

    run: Annotated[str, AfterValidator(can_be_an_argument)] = Field(
        min_length=1, title="Command", description="Given to /bin/sh -c in the workspace."
    )


class Command(Executor):
    """Runs `/bin/sh -c RUN` in the workspace."""

    name = "command"
    Params = Params
    leaves_nothing = True

    async def execute(self, context: Context, params: Any) -> Result:
        return await shell(context, params.run)


async def shell(context: Context, text: str, *, failed: Reason = Reason.COMMAND_FAILED) -> Result:
    """Run a shell command; `failed` is the reason for an exit code other than 0."""
    try:
        code = await context.run(["/bin/sh", "-c", text])
    except OSError as error:
        return _not_started(error, context.cwd)
    if not os.path.isdir(context.cwd):
        return Result(
            Outcome.FAILED, Reason.WORKSPACE_MISSING, "The workspace was deleted while the command ran.", code
        )
    return judge(code, failed)


def judge(code: int, failed: Reason = Reason.COMMAND_FAILED) -> Result:
    """What an exit code means."""
    if code == 0:
        return Result(Outcome.PASSED, exit_code=0)
    if code == NOT_FOUND and failed is Reason.COMMAND_FAILED:
        return Result(Outcome.FAILED, Reason.COMMAND_NOT_FOUND, "The command was not found (exit code 127).", code)
    return Result(Outcome.FAILED, failed, f"The command {describe(code)}.", code)


def _not_started(error: OSError, cwd: str) -> Result:
    why = os.strerror(error.errno) if error.errno else str(error)
    if not os.path.isdir(cwd):
        return Result(Outcome.FAILED, Reason.WORKSPACE_MISSING, f"The workspace {cwd} is not there.")
    if not os.access(cwd, os.X_OK):
        return Result(Outcome.FAILED, Reason.WORKSPACE_MISSING, f"The workspace {cwd} cannot be entered: {why}.")
    if error.errno == errno.E2BIG:
        return Result(
            Outcome.FAILED, Reason.BAD_PARAMS, "The command and its environment are longer than the system allows."
        )
    return Result(Outcome.FAILED, Reason.COMMAND_NOT_FOUND, f"The command could not be started: {why}.")
