"""Writes a corpus of made-up texts: chains of words that follow one another in the handbook."""

import random
import re
from collections import defaultdict
from pathlib import Path

from tools.console import DIM, bar, good, head, paced, paint, say

ROOT = Path(__file__).resolve().parent.parent
TEXTS, WORDS = 240, 2500


def chains():
    """What may follow each pair of words."""
    text = " ".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("pages/*.md")))
    words = re.findall(r"[A-Za-z]+[.,]?", text)
    following = defaultdict(list)
    for first, second, third in zip(words, words[1:], words[2:]):
        following[first, second].append(third)
    return following


def write(dice, following):
    pair = dice.choice(list(following))
    words = list(pair)
    while len(words) < WORDS:
        if pair not in following:
            pair = dice.choice(list(following))
        words.append(dice.choice(following[pair]))
        pair = pair[1], words[-1]
    return " ".join(words)


def main():
    dice, following = random.Random(99), chains()
    folder = ROOT / "corpus"
    folder.mkdir(exist_ok=True)
    head(f"{TEXTS} texts of {WORDS:,} words")
    for number in paced(range(1, TEXTS + 1), 8.0):
        (folder / f"{number:03}.txt").write_text(write(dice, following), encoding="utf-8")
        if number % 8 == 0:
            say(f"{number:3} {paint(f'of {TEXTS} texts', DIM)}  {bar(number / TEXTS)}")
    good(f"{TEXTS * WORDS:,} words in corpus/")


if __name__ == "__main__":
    main()
