"""Prices and the VAT in them."""

import unittest
from decimal import Decimal

from shop import catalogue
from shop.prices import VAT, gross, vat_in


class PricesTest(unittest.TestCase):
    def test_half_a_cent_goes_up(self):
        self.assertEqual(gross(Decimal("0.50"), "reduced"), Decimal("0.54"))

    def test_the_vat_in_a_price_is_what_was_added(self):
        for kind in VAT:
            for cents in range(100, 20000, 37):
                net = Decimal(cents) / 100
                price = gross(net, kind)
                self.assertLessEqual(abs(price - net - vat_in(price, kind)), Decimal("0.01"))

    def test_every_price_of_the_catalogue_fits_its_net_price(self):
        for path in catalogue.files():
            product = catalogue.load(path)
            self.assertEqual(Decimal(product["price"]), gross(Decimal(product["net"]), product["vat"]), path.name)

    def test_no_price_is_below_its_net_price(self):
        for path in catalogue.files():
            product = catalogue.load(path)
            self.assertGreater(Decimal(product["price"]), Decimal(product["net"]), path.name)
