"""What the launcher is told: one model per operation."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from workers.runner.messages import describe

Run = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
AbsolutePath = Annotated[str, Field(pattern=r"^/[^\x00]*$")]


class Ping(BaseModel):
    op: Literal["ping"]


class Start(BaseModel):
    op: Literal["start"]
    run: Run
    directory: AbsolutePath
    socket: AbsolutePath
    worker: int


class Destroy(BaseModel):
    """`directory` is needed only for a run that neither this launcher nor the one before it started.

    With `epoch` a runner that has obeyed a higher one is left alone: its owner is somebody else by now.
    """

    op: Literal["destroy"]
    run: Run
    directory: AbsolutePath | Literal[""] = ""
    epoch: int | None = None


class Quit(BaseModel):
    op: Literal["quit"]


Order = Ping | Start | Destroy | Quit
_ADAPTER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="op")])


def parse(line: bytes) -> Order:
    """One line as an order. Raises ValueError with a sentence that names the field."""
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError as error:
        raise ValueError("; ".join(describe(error))) from None
