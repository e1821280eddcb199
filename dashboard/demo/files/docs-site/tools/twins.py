"""Finds texts that share many runs of five words."""

import re
from pathlib import Path

from tools.console import CYAN, DIM, YELLOW, bar, good, head, paced, paint, say

ROOT = Path(__file__).resolve().parent.parent


def shingles(path):
    words = re.findall(r"[a-z]+", path.read_text(encoding="utf-8").lower())
    return {" ".join(words[n : n + 5]) for n in range(len(words) - 4)}


def main():
    files = sorted(ROOT.glob("corpus/*.txt"))
    known, closest = {}, []
    head(f"{len(files)} texts, each against all before it")
    for number, path in enumerate(paced(files, 8.0), start=1):
        own = shingles(path)
        shared = {}
        for shingle in own:
            for other in known.setdefault(shingle, []):
                shared[other] = shared.get(other, 0) + 1
            known[shingle].append(path.stem)
        if shared:
            twin = max(shared, key=shared.get)
            closest.append((shared[twin] / len(own), path.stem, twin))
        if number % 8 == 0:
            share, first, second = max(closest)
            say(f"{paint(f'{number:3}', DIM)}  closest {first} and {second}  {share:5.1%}  {bar(share, colour=CYAN)}")
    head("The closest pairs")
    for share, first, second in sorted(closest, reverse=True)[:6]:
        say(f"  {paint(first, YELLOW)} and {paint(second, YELLOW)}  {share:5.1%} in common")
    good(f"{len(known):,} different runs of five words")


if __name__ == "__main__":
    main()
