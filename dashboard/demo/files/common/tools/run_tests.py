"""Runs the named test modules of tests/ (all without a name), one line per test. Exit code 1 when one fails.

usage: python3 -m tools.run_tests [NAME …]
"""

import sys
import time
import traceback
import unittest
from pathlib import Path

from tools.console import CYAN, DIM, GREEN, RED, bad, good, head, paint, say

ROOT = Path(__file__).resolve().parent.parent


class Lines(unittest.TestResult):
    """Says how each test ended as soon as it has."""

    def startTest(self, test):
        super().startTest(test)
        self.begun = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        time.sleep(0.35)  # so that a person can follow

    def name(self, test):
        took = f"{(time.monotonic() - self.begun) * 1000:.0f} ms"
        return f"{type(test).__name__}.{test._testMethodName} {paint(took, DIM)}"

    def addSuccess(self, test):
        super().addSuccess(test)
        good(self.name(test))

    def addFailure(self, test, error):
        super().addFailure(test, error)
        bad(self.name(test))
        self.explain(error)

    def addError(self, test, error):
        super().addError(test, error)
        bad(self.name(test))
        self.explain(error)

    def explain(self, error):
        """Where and why: the last frame in this project, and the message."""
        frames = [frame for frame in traceback.extract_tb(error[2]) if str(ROOT) in frame.filename]
        if frames:
            place = f"{Path(frames[-1].filename).relative_to(ROOT)}:{frames[-1].lineno}"
            say(f"    {paint(place, CYAN)}  {frames[-1].line}")
        say(f"    {paint(f'{error[0].__name__}: {error[1]}', RED)}")


def main(names):
    wanted = [f"tests.test_{name}" for name in names] or [f"tests.{p.stem}" for p in ROOT.glob("tests/test_*.py")]
    suite = unittest.defaultTestLoader.loadTestsFromNames(sorted(wanted))
    head(f"{suite.countTestCases()} tests of {', '.join(name.split('_', 1)[1] for name in sorted(wanted))}")
    result = Lines()
    suite.run(result)
    wrong = len(result.failures) + len(result.errors)
    say(f"{result.testsRun} tests, {paint(f'{wrong} failed', RED) if wrong else paint('all passed', GREEN)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
