"""How easily each text reads: sentence length and long words, as in the LIX formula."""

import re
import statistics
from pathlib import Path

from tools.console import CYAN, DIM, GREEN, bar, good, head, paced, paint, say

ROOT = Path(__file__).resolve().parent.parent


def lix(text):
    words = re.findall(r"[A-Za-z]+", text)
    sentences = max(1, text.count("."))
    return len(words) / sentences + 100 * sum(len(word) > 6 for word in words) / len(words)


def main():
    files = sorted(ROOT.glob("corpus/*.txt"))
    head(f"LIX of {len(files)} texts")
    values = []
    for number, path in enumerate(paced(files, 6.0), start=1):
        values.append(lix(path.read_text(encoding="utf-8")))
        if number % 8 == 0:
            mean = statistics.fmean(values)
            say(f"{paint(path.name, DIM)}  {values[-1]:5.1f}  mean {mean:5.1f}  {bar(values[-1] / 100, colour=CYAN)}")
    head("How they spread")
    step = max((max(values) - min(values)) / 10, 0.01)
    rows = [sum(n == min(9, int((value - min(values)) / step)) for value in values) for n in range(10)]
    for n, count in enumerate(rows):
        say(f"  from {min(values) + n * step:5.1f}  {count:3}  {bar(count / max(rows), colour=GREEN)}")
    good(f"mean {statistics.fmean(values):.1f}, spread {statistics.stdev(values):.2f}")


if __name__ == "__main__":
    main()
