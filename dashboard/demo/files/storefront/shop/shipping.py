"""What it costs to send an order."""

from decimal import Decimal

FREE_FROM = Decimal("50.00")
STANDARD = Decimal("4.90")
ABROAD = Decimal("12.50")


def cost(total, country="DE"):
    """The cost of sending an order with this total."""
    if country != "DE":
        return ABROAD
    return Decimal("0.00") if total > FREE_FROM else STANDARD
