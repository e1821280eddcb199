"""The rate limiter: a budget of requests in any span of so many seconds."""

import random
import unittest

from acme.limits import Limiter


class LimiterTest(unittest.TestCase):
    def setUp(self):
        self.limiter = Limiter(budget=20, seconds=60)

    def passed(self, *moments):
        return sum(self.limiter.allow("key", moment) for moment in moments)

    def test_the_budget_passes(self):
        self.assertEqual(self.passed(*range(20)), 20)

    def test_one_more_does_not(self):
        self.assertEqual(self.passed(*range(21)), 20)

    def test_keys_do_not_share_a_budget(self):
        self.passed(*range(20))
        self.assertTrue(self.limiter.allow("another", 20))

    def test_a_new_budget_after_the_span(self):
        self.passed(*[0] * 20)
        self.assertTrue(self.limiter.allow("key", 60))

    def test_budget_holds_across_the_edge_of_a_window(self):
        passed = self.passed(*[59] * 20, *[61] * 20)
        self.assertEqual(passed, 20, "requests within 2 s, allowed are 20 in any 60 s")

    def test_no_span_of_a_random_day_exceeds_the_budget(self):
        dice = random.Random(11)
        moments = sorted(dice.uniform(0, 3600) for _ in range(4000))
        allowed = [moment for moment in moments if self.limiter.allow("key", moment)]
        for first, last in zip(allowed, allowed[20:]):
            self.assertGreaterEqual(last - first, 60)
