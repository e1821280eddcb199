"""Splits the checkout into three pages, and links them."""

import re
import sys
from pathlib import Path

from tools.console import DIM, bad, good, head, paced, paint, say

ROOT = Path(__file__).resolve().parent.parent


def main():
    source = (ROOT / "templates" / "checkout.html").read_text(encoding="utf-8")
    parts = re.split(r"<!-- (\w+) -->\n", source)
    names = parts[1::2]
    if names != ["address", "shipping", "payment"]:
        bad(f"templates/checkout.html has the parts {names}")
        return 1
    head(f"templates/checkout.html: {len(names)} parts")
    for number, (name, body) in enumerate(zip(names, parts[2::2]), start=1):
        following = names[number] if number < len(names) else "done"
        body = body.replace("</form>", "").strip()
        text = f'<p>Step {number} of 3</p>\n<form action="/checkout/{following}" method="post">\n{body}\n</form>\n'
        for line in paced(text.splitlines(), 2.0):
            say(f"{paint('+', DIM)} {line}")
        (ROOT / "templates" / f"checkout_{name}.html").write_text(text, encoding="utf-8")
        good(f"templates/checkout_{name}.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
