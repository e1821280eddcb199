"""A small library that really works, the spec that builds it, and what a model answers while it is built.

`spans` reads and writes spans of time such as "1h 30m". The third chunk is wrong at first: its review fails, the
findings reach the next attempt, and that one repairs it.
"""

import threading
from dataclasses import replace
from pathlib import Path

from tests.support.openai_server import Answer, answer, call, hold, say, think
from tests.support.repository import git

UNITS = '''"""Units of time, in seconds."""

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
'''
PARSE = '''"""Spans of time as text."""

import re

from units import UNITS

PART = re.compile(r"(\\d+)\\s*([dhms])")


def parse(text):
    """Seconds in a span such as "1h 30m"."""
    return sum(int(number) * UNITS[unit] for number, unit in PART.findall(text))
'''
WRITE = '''

def write(seconds):
    """A span as text, the largest unit first."""
    parts = []
    for unit, size in UNITS.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
'''
WRONG = PARSE.replace("    return sum(", '    if not text:\n        raise ValueError("text: empty")\n    return sum(')
RIGHT = PARSE.replace(
    "    return sum(",
    '    if not text.strip() or PART.sub("", text).strip():\n'
    '        raise ValueError(f"text: {text!r} is no span such as 1h 30m")\n    return sum(',
)
TEST_PARSE = """import unittest

from spans import parse


class Parse(unittest.TestCase):
    def test_parts_are_added(self):
        self.assertEqual(parse("1h 30m"), 5400)
"""
TEST_WRITE = """import unittest

from spans import parse, write


class Write(unittest.TestCase):
    def test_there_and_back(self):
        for seconds in (0, 59, 5400, 90061):
            self.assertEqual(parse(write(seconds)), seconds)
"""
TEST_ERRORS = """import unittest

from spans import parse


class Errors(unittest.TestCase):
    def test_nonsense_is_refused(self):
        for text in ("", "  ", "1x", "soon"):
            with self.subTest(text), self.assertRaises(ValueError):
                parse(text)
"""
MAIN = '''"""python -m main 5400 → 1h 30m"""

import sys

from spans import write

print(write(int(sys.argv[1])))
'''
README = "# spans\n\nReads and writes spans of time: `parse('1h 30m')` is 5400, `write(5400)` is `1h 30m`.\n"
VERDICT = '{"verdict": "pass", "findings": []}'

SPEC = """
title: Spans of time
max_attempts: 3
defaults:
  executor: agent
  review: {command: "python3 -m unittest -q"}
chunks:
  - key: units
    title: Table of units
    instructions: "Write units.py with UNITS."
    review: {command: "python3 -c 'import units'"}
  - {key: parse, title: Reading spans, instructions: "Write spans.py with parse, and a test.", acceptance: ["it adds"]}
  - {key: errors, title: Refusing nonsense, instructions: "parse raises ValueError for what is no span."}
  - {key: write, title: Writing spans, instructions: "Add write, the inverse of parse.", acceptance: ["there and back"]}
  - key: main
    title: Command line
    instructions: "Write main.py and README.md."
    review:
      command: "test \\"$(python3 main.py 5400)\\" = '1h 30m'"
      agent: {instructions: "Does the README tell the truth?"}
"""


def lay_out(directory: Path) -> Path:
    """The library's repository before the spec, with the spec in it."""
    directory.mkdir()
    git(directory, "init", "--quiet", "--initial-branch", "main")
    (directory / ".gitignore").write_text("__pycache__/\n")
    (directory / ".specyard").mkdir()
    (directory / ".specyard" / "spans.yaml").write_text(SPEC)
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", "Begin")
    return directory


def writes(to: str, **files: str) -> tuple[Answer, ...]:
    """A chunk worked on: thoughts, a plan, its files, a word at the end."""
    todos = [{"content": f"Write {name}", "status": "pending", "priority": "high"} for name in files]
    planned = answer(think("Small steps."), call("todowrite", todos=todos), to=to)
    written = [answer(call("write", filePath=name, content=text), to=to) for name, text in files.items()]
    return (planned, *written, answer(say(f"Wrote **{', '.join(files)}**."), to=to))


def answers(gate: threading.Event) -> tuple[Answer, ...]:
    """All that the model says. Its first chunk ends when the gate is opened."""
    planned, written, said = writes("Table of units", **{"units.py": UNITS})
    said = replace(said, parts=(say("Looking at it. "), hold(gate), *said.parts))
    return (planned, written, said, *REST)


ERRORS = "(?s)Refusing nonsense"
REST = (
    *writes("Reading spans", **{"spans.py": PARSE, "test_parse.py": TEST_PARSE}),
    *writes(rf"{ERRORS}(?!.*did not pass)", **{"spans.py": WRONG, "test_errors.py": TEST_ERRORS}),
    *writes(rf"{ERRORS}.*did not pass.*FAIL", **{"spans.py": RIGHT, "test_errors.py": TEST_ERRORS}),
    *writes("Writing spans", **{"spans.py": RIGHT + WRITE, "test_write.py": TEST_WRITE}),
    *writes("You work on chunk 5", **{"main.py": MAIN, "README.md": README}),
    answer(call("read", filePath="README.md"), to="Review the work"),
    answer(say(f"It does.\n\n{VERDICT}"), to="Review the work"),
)
