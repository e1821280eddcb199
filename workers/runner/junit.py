"""Reports of tests in JUnit's XML, as far as its writers agree, read in one go and within bounds.

A document type is refused, and with it every entity that a document could define.
https://github.com/testmoapp/junitxml describes what is common.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from workers.runner.masking import Mask

LARGEST = 20 * 10**6  # bytes
DEEPEST = 50
MOST_CASES = 1_000_000
MOST_TOLD = 100  # failing cases of an attempt, by name
NAME_LENGTH, MESSAGE_LENGTH = 300, 1000
ROOTS = ("testsuites", "testsuite")
ENDS = {"failure": "failed", "error": "error", "skipped": "skipped"}
LONGEST_SECONDS = 1e9


class NoReport(Exception):
    """It is no report of tests. `looked_like_one`: it began as one."""

    def __init__(self, why: str, *, looked_like_one: bool) -> None:
        super().__init__(why)
        self.looked_like_one = looked_like_one


@dataclass
class Report:
    """How many tests there were and how they ended. `cases`: the first that failed, each with what it said."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    cases: list[dict[str, str]] = field(default_factory=list)


@dataclass
class _Case:
    name: str
    suite: str
    outcome: str = "passed"
    message: str = ""
    depth: int = 0


def read(blocks: Iterable[bytes], mask: Mask, room: int = MOST_TOLD) -> Report:
    """The report in a document; at most `room` failing cases by name, without secrets. Raises NoReport."""
    reader = _Reader(mask, room)
    left = LARGEST
    try:
        for block in blocks:
            left -= len(block)
            if left < 0:
                raise ValueError(f"it is larger than {LARGEST // 10**6} MB")
            reader.parser.Parse(block, False)
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # also of an encoding that it only claims
        raise NoReport(str(error)[:200], looked_like_one=reader.has_begun) from None
    return reader.report


class _Reader:
    def __init__(self, mask: Mask, room: int) -> None:
        self.report = Report()
        self.has_begun = False
        self._mask = mask
        self._room = room
        self._depth = 0
        self._case: _Case | None = None
        self._text: _Text | None = None  # of the element that says how the case ended
        self._seconds_of_cases = 0.0
        self._seconds_of_root: float | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = _refuse
        self.parser.EntityDeclHandler = _refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _start(self, tag: str, given: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        self._depth += 1
        if self._depth > DEEPEST:
            raise NoReport("it is too deep", looked_like_one=self.has_begun)
        if self._depth == 1:
            if name not in ROOTS:
                raise NoReport("it is other XML", looked_like_one=False)
            self.has_begun = True
            self._seconds_of_root = _seconds(given.get("time"))
        elif name == "testcase" and self._case is None:
            self._begin_case(given)
        elif name in ENDS and self._case is not None and self._depth == self._case.depth + 1:
            self._case.outcome = ENDS[name] if self._case.outcome == "passed" else self._case.outcome
            self._case.message = self._case.message or self._mask.text(given.get("message", ""))[:MESSAGE_LENGTH]
            self._text = _Text(self._mask)

    def _begin_case(self, given: dict[str, str]) -> None:
        if self.report.tests >= MOST_CASES:
            raise NoReport(f"it has more than {MOST_CASES:,} tests", looked_like_one=True)
        self.report.tests += 1
        self._seconds_of_cases += _seconds(given.get("time")) or 0.0
        suite = given.get("classname", "") or given.get("file", "")
        self._case = _Case(given.get("name", ""), suite, depth=self._depth)

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.add(text)

    def _end(self, tag: str) -> None:
        case = self._case
        if case is not None and self._depth == case.depth + 1 and self._text is not None:
            case.message = case.message or self._text.beginning()
            self._text = None
        elif case is not None and self._depth == case.depth:
            self._count(case)
            self._case = None
        self._depth -= 1
        if not self._depth:
            whole = self._seconds_of_root
            self.report.seconds = round(self._seconds_of_cases if whole is None else whole, 3)

    def _count(self, case: _Case) -> None:
        self.report.failures += case.outcome == "failed"
        self.report.errors += case.outcome == "error"
        self.report.skipped += case.outcome == "skipped"
        if case.outcome in ("failed", "error") and len(self.report.cases) < self._room:
            name, suite = (self._mask.text(text)[:NAME_LENGTH] for text in (case.name, case.suite))
            self.report.cases.append({"name": name, "suite": suite, "outcome": case.outcome, "message": case.message})


class _Text:
    """The beginning of a text that comes in pieces. Secrets are hidden before it is cut: half of one is not known."""

    def __init__(self, mask: Mask) -> None:
        self._stream = mask.stream()
        self._shown = ""

    def add(self, text: str) -> None:
        if len(self._shown) < MESSAGE_LENGTH:
            self._shown = (self._shown + self._stream.feed_text(text)).lstrip()

    def beginning(self) -> str:
        if len(self._shown) < MESSAGE_LENGTH:
            self._shown += self._stream.flush_text()
        return self._shown[:MESSAGE_LENGTH].strip()


def _refuse(*_: Any) -> None:
    raise NoReport("it has a document type, which could define entities", looked_like_one=True)


def _seconds(text: str | None) -> float | None:
    """The time as a number; some write "1,234.5"."""
    try:
        seconds = float((text or "").replace(",", "")[:40])
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds < LONGEST_SECONDS else None
