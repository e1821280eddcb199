"""How large each page is when it is sent, compressed."""

import gzip
from pathlib import Path

from tools.console import BLUE, bar, good, head, paced, paint, say

ROOT = Path(__file__).resolve().parent.parent


def main():
    files = sorted(ROOT.glob("public/*.html"))
    head("page                              plain    sent")
    plain = sent = 0
    for path in paced(files, 5.0):
        content = path.read_bytes()
        packed = len(gzip.compress(content, 9))
        plain, sent = plain + len(content), sent + packed
        say(f"{path.stem:<30} {len(content):>8,} {packed:>7,}  {bar(packed / len(content), 16, BLUE)}")
    good(f"{plain / 1000:.1f} kB become {paint(f'{sent / 1000:.1f} kB', BLUE)}")


if __name__ == "__main__":
    main()
