"""Counts words and pairs of words over the whole corpus."""

import json
import re
from collections import Counter
from pathlib import Path

from tools.console import BLUE, DIM, VIOLET, bar, good, head, paced, paint, say

ROOT = Path(__file__).resolve().parent.parent


def table(title, counts, colour):
    head(title)
    top = counts.most_common(12)
    for name, count in paced(top, 1.0):
        say(f"  {name:<28} {count:>8,}  {bar(count / top[0][1], colour=colour)}")


def main():
    files = sorted(ROOT.glob("corpus/*.txt"))
    words, pairs = Counter(), Counter()
    head(f"{len(files)} texts")
    for number, path in enumerate(paced(files, 8.0), start=1):
        found = re.findall(r"[a-z]+", path.read_text(encoding="utf-8").lower())
        words.update(found)
        pairs.update(f"{first} {second}" for first, second in zip(found, found[1:]))
        if number % 10 == 0:
            say(f"{paint(f'{number:3} texts', DIM)} {sum(words.values()):>9,} words, {len(words):,} different")
    table("Most frequent words", words, BLUE)
    table("Most frequent pairs", pairs, VIOLET)
    result = {"words": sum(words.values()), "different": len(words), "top": words.most_common(12)}
    (ROOT / "corpus" / "count.json").write_text(json.dumps(result), encoding="utf-8")
    good(f"{result['words']:,} words")


if __name__ == "__main__":
    main()
