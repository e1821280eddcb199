"""Renders a page for every product and category into public/."""

from decimal import Decimal
from pathlib import Path

from shop import catalogue, prices
from tools.console import DIM, good, head, paced, paint

ROOT = Path(__file__).resolve().parent.parent


def template(name):
    return (ROOT / "templates" / f"{name}.html").read_text(encoding="utf-8")


def pages():
    """The name and the content of each page."""
    page, one = template("page"), template("product")
    categories = {}
    for path in catalogue.files():
        product = catalogue.load(path)
        categories.setdefault(product["category"], []).append(product)
        body = one.format(**product | {"vat": prices.vat_in(Decimal(product["price"]), product["vat"])})
        yield product["sku"].lower(), page.format(title=product["name"], body=body)
    for name, products in sorted(categories.items()):
        links = "\n".join(f'<li><a href="{p["sku"].lower()}.html">{p["name"]}</a> {p["price"]}' for p in products)
        yield name, page.format(title=name.capitalize(), body=f"<ul>\n{links}\n</ul>")


def main():
    public = ROOT / "public"
    public.mkdir(exist_ok=True)
    written = 0
    every = list(pages())
    head(f"{len(every)} pages")
    for name, content in paced(every, 8.0):
        written += (public / f"{name}.html").write_text(content, encoding="utf-8")
        good(f"public/{name}.html {paint(f'{len(content):,} characters', DIM)}")
    good(f"{len(every)} pages, {written / 1000:.1f} kB")


if __name__ == "__main__":
    main()
