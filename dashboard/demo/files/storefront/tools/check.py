"""Looks at every product file. Exit code 1 when one has a problem."""

import sys
from collections import Counter

from shop import catalogue
from tools.console import BLUE, DIM, bad, bar, good, head, paced, paint, say


def main():
    files = catalogue.files()
    head(f"{len(files)} products")
    categories, wrong = Counter(), 0
    for path in paced(files, 5.0):
        product = catalogue.load(path)
        found = list(catalogue.problems(product))
        wrong += bool(found)
        if found:
            bad(f"{path.name}: {'; '.join(found)}")
        else:
            categories[product["category"]] += 1
            good(f"{paint(product['sku'], BLUE)} {product['name']:<28} {paint(product['price'].rjust(7), DIM)}")
    head("By category")
    for name, count in categories.most_common():
        say(f"  {name:<10} {count:3}  {bar(count / max(categories.values()), colour=BLUE)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
