"""What it costs to send an order."""

import unittest
from decimal import Decimal

from shop.shipping import cost


class ShippingTest(unittest.TestCase):
    def test_small_orders_pay(self):
        self.assertEqual(cost(Decimal("12.00")), Decimal("4.90"))

    def test_large_orders_are_sent_free(self):
        self.assertEqual(cost(Decimal("80.00")), Decimal("0.00"))

    def test_abroad_is_never_free(self):
        for total in range(0, 500, 25):
            self.assertEqual(cost(Decimal(total), "NL"), Decimal("12.50"))

    def test_an_order_of_exactly_50_is_sent_free(self):
        self.assertEqual(cost(Decimal("50.00")), Decimal("0.00"), "the page promises: free from 50.00 on")

    def test_no_cent_changes_it_twice(self):
        costs = [cost(Decimal(cents) / 100) for cents in range(10_000)]
        self.assertEqual(sum(a != b for a, b in zip(costs, costs[1:])), 1)
