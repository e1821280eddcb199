"""What the shapes of requests and answers have in common."""

from copy import copy
from typing import Any, Self

from ninja import Schema
from pydantic import BaseModel, Field, create_model
from pydantic_core import PydanticUndefined

from dashboard.api.paging import Body


class Shown(Schema):
    """What the API shows of a row."""

    @classmethod
    def copied(cls, row: Any, **own: Any) -> Self:
        """The row's fields of the same names, and `own` for those that the row has not, or has otherwise."""
        same = {name: getattr(row, name) for name in cls.model_fields if name not in own}
        return cls(**same, **own)


class ProjectName(Shown):
    """A project by number and name."""

    id: int
    name: str


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
