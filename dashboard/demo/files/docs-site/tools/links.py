"""Follows every link between the pages. Exit code 1 when one leads nowhere."""

import re
import sys
from pathlib import Path

from tools.console import CYAN, DIM, bad, good, head, paced, paint

PAGES = Path(__file__).resolve().parent.parent / "pages"


def main():
    files = sorted(PAGES.glob("*.md"))
    head(f"{len(files)} pages")
    links = broken = 0
    for path in paced(files, 5.0):
        targets = re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8"))
        missing = [target for target in targets if not (PAGES / target).exists()]
        links, broken = links + len(targets), broken + len(missing)
        if missing:
            bad(f"{path.name}: {', '.join(missing)}")
        else:
            good(f"{path.name:<28} {paint(f'{len(targets)} links', DIM)}")
    (bad if broken else good)(f"{paint(str(links), CYAN)} links, {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
