"""Bug report 142: "The last page of my list is missing." Exit code 1 when the bug is there."""

import random
import sys

from acme.paging import page, page_count

dice = random.Random(142)
for _ in range(4000):
    items, size = list(range(dice.randrange(1, 400))), dice.randrange(1, 50)
    shown = [item for number in range(1, page_count(len(items), size) + 1) for item in page(items, number, size)]
    if shown != items:
        print(f"    {len(items)} items in pages of {size}: {len(items) - len(shown)} are never shown", flush=True)
        sys.exit(1)
print("    4,000 random lists: every item is on a page", flush=True)
