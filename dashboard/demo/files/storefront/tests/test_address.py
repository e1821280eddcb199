"""Addresses that can be delivered to, and those that cannot."""

import unittest

from shop.address import problem

GOOD = {"name": "Ada Lovelace", "street": "Mill Lane 7", "postcode": "10115", "country": "DE"}


class AddressTest(unittest.TestCase):
    def problem(self, **fields):
        return problem({**GOOD, **fields})

    def test_a_good_address(self):
        self.assertEqual(self.problem(), "")

    def test_one_name_is_not_enough(self):
        self.assertIn("name", self.problem(name="Ada"))

    def test_a_street_has_a_number(self):
        self.assertIn("street", self.problem(street="Mill Lane"))

    def test_postcodes_differ_by_country(self):
        for country, postcode in (("AT", "1010"), ("NL", "1012 AB"), ("GB", "SW1A 1AA")):
            self.assertEqual(self.problem(country=country, postcode=postcode), "", country)
            self.assertIn("postcode", self.problem(country=country), country)

    def test_countries_that_are_not_delivered_to(self):
        self.assertIn("country", self.problem(country="XX"))

    def test_nothing_at_all(self):
        self.assertIn("name", problem({}))
