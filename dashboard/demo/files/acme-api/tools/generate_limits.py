"""Writes acme/limits.py, the rate limiter, in one of two ways.

A fixed window is simple, so it is tried first. Its budget can be used twice around the edge of a window; when a
review says so ($SPECYARD_FINDINGS_FILE), the next attempt writes a sliding window.
"""

import os
from pathlib import Path

from tools.console import BLUE, DIM, YELLOW, good, head, paced, paint, say

EDGE = "test_budget_holds_across_the_edge_of_a_window"
TARGET = Path("acme/limits.py")
HEAD = '''"""A budget of requests per key, in any span of so many seconds. Written by tools/generate_limits.py."""


class Limiter:
    def __init__(self, budget, seconds):
        self.budget, self.seconds = budget, seconds
        self._seen = {}
'''
FIXED = '''
    def allow(self, key, now):
        """Whether a request at this moment passes: a fixed window."""
        window = now // self.seconds
        last, used = self._seen.get(key, (window, 0))
        used = used if last == window else 0
        self._seen[key] = window, used + (used < self.budget)
        return used < self.budget
'''
SLIDING = '''
    def allow(self, key, now):
        """Whether a request at this moment passes: a sliding window."""
        recent = [moment for moment in self._seen.get(key, []) if now - moment < self.seconds]
        passes = len(recent) < self.budget
        self._seen[key] = [*recent, now] if passes else recent
        return passes
'''


def findings():
    """What the review of the attempt before found; empty at the first attempt."""
    path = os.environ.get("SPECYARD_FINDINGS_FILE")
    return Path(path).read_text(encoding="utf-8") if path else ""


def choose():
    found = findings()
    if not found:
        say("no findings: this is the first attempt")
        return "a fixed window", FIXED
    lines = [line for line in found.splitlines() if line.strip()]
    say(paint(f"the review found something ({len(lines)} lines):", YELLOW))
    for line in paced([line for line in lines if "✗" in line or "Error" in line], 1.0):
        say(f"  {paint('│', YELLOW)} {line.strip()}")
    return ("a sliding window", SLIDING) if EDGE in found else ("a fixed window", FIXED)


def main():
    head(f"{TARGET}, attempt {os.environ.get('SPECYARD_ATTEMPT', '1')}")
    name, body = choose()
    good(f"chosen: {paint(name, BLUE)}")
    text = HEAD + body
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line]
    for number, line in paced(lines, 3.0):
        say(f"{paint(f'{number:3}', DIM)} {line}")
    compile(text, str(TARGET), "exec")
    TARGET.write_text(text, encoding="utf-8")
    good(f"wrote {TARGET}: {len(text.splitlines())} lines")


if __name__ == "__main__":
    main()
