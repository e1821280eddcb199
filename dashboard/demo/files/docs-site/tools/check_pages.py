"""Reads every page of public/ again: each element is closed, each has one title. Exit code 1 when not."""

import sys
from html.parser import HTMLParser
from pathlib import Path

from tools.console import DIM, bad, good, head, paced, paint

ROOT = Path(__file__).resolve().parent.parent
VOID = {"meta", "link", "br", "img", "input"}


class Balance(HTMLParser):
    """Elements that are open, and what went wrong."""

    def __init__(self):
        super().__init__()
        self.open, self.headings, self.wrong = [], 0, ""

    def handle_starttag(self, tag, attrs):
        self.headings += tag == "h1"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong = self.wrong or f"</{tag}> closes nothing"


def problem(path):
    parser = Balance()
    parser.feed(path.read_text(encoding="utf-8"))
    if parser.open:
        return f"<{parser.open[-1]}> is not closed"
    return parser.wrong or ("" if parser.headings == 1 else f"{parser.headings} titles")


def main():
    files = sorted(ROOT.glob("public/*.html"))
    head(f"{len(files)} pages")
    wrong = 0
    for path in paced(files, 3.0):
        found = problem(path)
        wrong += bool(found)
        bad(f"{path.name}: {found}") if found else good(paint(path.name, DIM))
    (bad if wrong else good)(f"{wrong} with a problem")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())
