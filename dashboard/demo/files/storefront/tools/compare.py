"""What the new rate means: 3,000 made-up orders of last year, month by month, with the old prices and the new ones."""

import json
import random
import subprocess
from decimal import Decimal

from shop import catalogue
from tools.console import CYAN, bar, good, head, paced, paint, say


def before(path):
    """The product's price at the last commit."""
    text = subprocess.run(["git", "show", f"HEAD:products/{path.name}"], check=True, capture_output=True).stdout
    return Decimal(json.loads(text)["price"])


def main():
    dice = random.Random(2024)
    say("reading the old prices from git")
    pairs = [(before(path), Decimal(catalogue.load(path)["price"])) for path in catalogue.files()]
    head("month      old total    new total   difference")
    olds = news = Decimal(0)
    for month in paced(range(1, 13), 8.0):
        orders = [dice.choices(pairs, k=dice.randrange(1, 6)) for _ in range(250)]
        old = sum(pair[0] for order in orders for pair in order)
        new = sum(pair[1] for order in orders for pair in order)
        olds, news = olds + old, news + new
        share = paint(f"{new - old:+10,.2f}", CYAN)
        say(f"{month:5}   {old:12,.2f} {new:12,.2f}   {share}  {bar(float(new) / 90_000, 20)}")
    good(f"a year: {olds:,.2f} before, {news:,.2f} now, {(news / olds - 1) * 100:+.2f} %")


if __name__ == "__main__":
    main()
