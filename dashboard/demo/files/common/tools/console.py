"""Colours and pace for the scripts of this project."""

import sys
import time

RED, GREEN, YELLOW, BLUE, VIOLET, CYAN = 31, 32, 33, 34, 35, 36
BOLD, DIM = 1, 90

sys.stdout.reconfigure(encoding="utf-8")  # whatever the locale says


def paint(text, colour):
    return f"\x1b[{colour}m{text}\x1b[0m"


def say(text=""):
    """One line, seen at once."""
    print(text, flush=True)


def head(text):
    say(paint(text, BOLD))


def good(text):
    say(f"{paint('✓', GREEN)} {text}")


def bad(text):
    say(f"{paint('✗', RED)} {text}")


def bar(share, width=28, colour=GREEN):
    """A horizontal bar for a share from 0 to 1."""
    full = round(max(0.0, min(1.0, share)) * width)
    return paint("█" * full, colour) + paint("·" * (width - full), DIM)


def paced(items, seconds):
    """The items, one by one over about so many seconds, so that a person can follow what happens to each."""
    items = list(items)
    for item in items:
        begun = time.monotonic()
        yield item
        time.sleep(max(0.0, seconds / len(items) - (time.monotonic() - begun)))
