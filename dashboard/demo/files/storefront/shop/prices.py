"""Prices: what customers see includes VAT."""

from decimal import ROUND_HALF_UP, Decimal

VAT = {"standard": Decimal("0.19"), "reduced": Decimal("0.07")}
CENT = Decimal("0.01")


def rounded(amount):
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def gross(net, kind):
    """A net price with VAT of this kind."""
    return rounded(net * (1 + VAT[kind]))


def vat_in(amount, kind):
    """The VAT that a gross price holds."""
    return rounded(amount - amount / (1 + VAT[kind]))
