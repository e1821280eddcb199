"""The products, one JSON file each."""

import json
from decimal import Decimal
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "products"
FIELDS = {"sku": str, "name": str, "category": str, "net": str, "price": str, "vat": str, "stock": int}


def files():
    return sorted(FOLDER.glob("*.json"))


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def save(path, product):
    path.write_text(json.dumps(product, indent=2) + "\n", encoding="utf-8")


def problems(product):
    """What is wrong with a product, in words."""
    for field, kind in FIELDS.items():
        if not isinstance(product.get(field), kind):
            yield f"{field} is missing or no {kind.__name__}"
            return
    if product["vat"] not in ("standard", "reduced"):
        yield f"unknown kind of VAT: {product['vat']}"
    if Decimal(product["net"]) <= 0:
        yield "costs nothing"
