"""A reviewer's verdict: found at the end of what it says, and checked."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from workers.runner.messages import describe

TEXT_READ = 100_000  # characters at the end of an answer


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
    """The verdict in an answer: the last JSON object that has one, no part of another. Raises NoVerdict."""
    found = [value for value in _objects(words[-TEXT_READ:]) if "verdict" in value]
    if not found:
        raise NoVerdict("there is no JSON object with a verdict.")
    try:
        return Verdict.model_validate(found[-1])
    except ValidationError as error:
        raise NoVerdict("; ".join(describe(error))) from None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text that are no part of another."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield value
        at = text.find("{", end)
