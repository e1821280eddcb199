"""storefront: a shop whose catalogue is generated."""

import json
import random
from decimal import ROUND_HALF_UP, Decimal

from dashboard.demo.history import Commit
from dashboard.demo.sources import day, files_of

NAME = "storefront"
GOODS = {
    "kitchen": ("standard", ("Kettle", "Teapot", "Pan", "Whisk", "Chopping board", "Scale")),
    "garden": ("standard", ("Trowel", "Watering can", "Hose", "Rake", "Seed box", "Lantern")),
    "desk": ("standard", ("Lamp", "Notebook", "Pen tray", "Blotter", "Stapler", "Ruler")),
    "pantry": ("reduced", ("Honey", "Oat biscuits", "Olive oil", "Green tea", "Rye bread", "Plum jam")),
}
KINDS = ("small", "large", "blue")
RATES = {"standard": Decimal("1.19"), "reduced": Decimal("1.07")}


def commits() -> list[Commit]:
    """The shop, then its catalogue."""
    return [
        Commit("Start the shop", day(0), files_of(NAME)),
        Commit("Add the catalogue", day(2), products(), author="Jun Park"),
    ]


def products() -> dict[str, str]:
    """One JSON file per product; always the same ones."""
    dice = random.Random(72)
    found: dict[str, str] = {}
    for category, (vat, names) in GOODS.items():
        for number, name in enumerate(f"{name}, {kind}" for name in names for kind in KINDS):
            sku = f"{category[:3].upper()}-{number + 101}"
            net = Decimal(dice.randrange(150, 9900)) / 100
            price = (net * RATES[vat]).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
            product = {"sku": sku, "name": name, "category": category, "net": f"{net:.2f}", "price": f"{price}"}
            text = json.dumps({**product, "vat": vat, "stock": dice.randrange(0, 90)}, indent=2)
            found[f"products/{sku.lower()}.json"] = text + "\n"
    return found
