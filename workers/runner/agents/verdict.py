"""A reviewer's verdict: found at the end of what it says, and checked."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from workers.runner.messages import describe


class NoVerdict(Exception):
    """What is wrong with an answer, as a sentence."""


class Finding(BaseModel):
    """Something that must be mended."""

    file: str = ""
    line: int | None = None
    text: str = Field(min_length=1)

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return f"- {where}: {self.text}" if where else f"- {self.text}"


def _from_text(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class Verdict(BaseModel):
    """Whether the work passes, and what was found."""

    verdict: Literal["pass", "fail"]
    findings: list[Annotated[Finding, BeforeValidator(_from_text)]] = []

    @model_validator(mode="after")
    def _failure_has_findings(self) -> "Verdict":
        if self.verdict == "fail" and not self.findings:
            raise ValueError("a failed review must name its findings")
        return self

    def told(self) -> str:
        """The findings as text for the next attempt."""
        return "\n".join(map(str, self.findings))


def read(words: str) -> Verdict:
    """The verdict in an answer: the last JSON object that has one. Raises NoVerdict."""
    problem = "there is no JSON object with a verdict."
    for value in _objects(words):
        try:
            return Verdict.model_validate(value)
        except ValidationError as error:
            problem = "; ".join(describe(error))
    raise NoVerdict(problem)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """JSON objects with a verdict in a text, the last first."""
    decoder = json.JSONDecoder()
    at = len(text)
    while (at := text.rfind("{", 0, at)) >= 0:
        try:
            value, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and "verdict" in value:
            yield value
