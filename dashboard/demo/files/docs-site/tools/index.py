"""Builds the search index, which says where each word stands, and tries it with 24 searches."""

import json
import re
from collections import defaultdict
from pathlib import Path

from tools.console import BLUE, CYAN, DIM, good, head, paced, paint, say

ROOT = Path(__file__).resolve().parent.parent


def words(text):
    return re.findall(r"[a-z]{3,}", text.lower())


def build():
    """Word → page → how often."""
    index = defaultdict(dict)
    files = sorted(ROOT.glob("pages/*.md"))
    head(f"Index of {len(files)} pages")
    for path in paced(files, 5.0):
        for word in words(path.read_text(encoding="utf-8")):
            index[word][path.stem] = index[word].get(path.stem, 0) + 1
        say(f"{paint(f'{len(index):5,} words', DIM)}  {path.stem}")
    return index


def search(index, text):
    """Pages that hold every word, those with most of them first."""
    found = [index.get(word, {}) for word in words(text)]
    pages = set.intersection(*map(set, found)) if found else set()
    return sorted(pages, key=lambda page: -sum(hits[page] for hits in found))


def main():
    index = build()
    target = ROOT / "public" / "search.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(index, sort_keys=True), encoding="utf-8")
    good(f"public/search.json: {len(index):,} words, {target.stat().st_size / 1000:.0f} kB")
    head("Searches")
    common = sorted(index, key=lambda word: (-len(index[word]), word))
    for first, second in paced(list(zip(common[:24], common[24:48])), 5.0):
        pages = search(index, f"{first} {second}")
        say(f"{paint(f'{first} {second}', BLUE):<40} {len(pages):2} pages  {paint(', '.join(pages[:2]), CYAN)}")
    good("every search was answered")


if __name__ == "__main__":
    main()
