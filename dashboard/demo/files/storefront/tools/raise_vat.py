"""Raises the standard rate of VAT to 21 %: in the code, in every template, and in the price of every product."""

import re
from decimal import Decimal
from pathlib import Path

from shop import catalogue, prices
from tools.console import DIM, GREEN, RED, good, head, paced, paint, say

ROOT = Path(__file__).resolve().parent.parent


def replace(path, pattern, new):
    """Replaces in one file; gives how often."""
    text, count = re.subn(pattern, new, path.read_text(encoding="utf-8"))
    if count:
        path.write_text(text, encoding="utf-8")
    return count


def texts():
    """The code and the templates."""
    head("Code and templates")
    code = ROOT / "shop" / "prices.py"
    good(f"shop/prices.py: {replace(code, re.escape('0.19'), '0.21')} changed")
    for path in paced(sorted(ROOT.glob("templates/*.html")), 2.0):
        count = replace(path, r"\b19 % VAT", "21 % VAT")
        good(f"templates/{path.name}: {count} changed") if count else say(paint(f"  {path.name}: nothing", DIM))


def products():
    """The price of every product with the standard rate."""
    prices.VAT["standard"] = Decimal("0.21")
    changed = 0
    head("Prices")
    for path in paced(catalogue.files(), 7.0):
        product = catalogue.load(path)
        old, new = product["price"], str(prices.gross(Decimal(product["net"]), product["vat"]))
        if old == new:
            say(paint(f"  {product['sku']} stays {old}", DIM))
            continue
        product["price"] = new
        catalogue.save(path, product)
        changed += 1
        say(f"  {product['sku']} {paint(old.rjust(7), RED)} → {paint(new.rjust(7), GREEN)}  {product['name']}")
    good(f"{changed} prices raised")


if __name__ == "__main__":
    texts()
    products()
