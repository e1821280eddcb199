"""Routes, also many of them."""

import random
import unittest

from acme.router import Router


class RouterTest(unittest.TestCase):
    def setUp(self):
        self.router = Router()
        for pattern in ("/users", "/users/{id}", "/users/me", "/users/{id}/keys/{key}", "/v1.0/status"):
            self.router.add(pattern, pattern)

    def test_a_literal_route(self):
        self.assertEqual(self.router.find("/users"), ("/users", {}))

    def test_a_name_takes_one_segment(self):
        self.assertEqual(self.router.find("/users/7"), ("/users/{id}", {"id": "7"}))
        self.assertIsNone(self.router.find("/users/7/8"))

    def test_the_most_literal_route_wins(self):
        self.assertEqual(self.router.find("/users/me"), ("/users/me", {}))

    def test_several_names(self):
        found = self.router.find("/users/7/keys/ab")
        self.assertEqual(found, ("/users/{id}/keys/{key}", {"id": "7", "key": "ab"}))

    def test_a_dot_is_a_dot(self):
        self.assertIsNone(self.router.find("/v1x0/status"))

    def test_unknown_paths_find_nothing(self):
        for path in ("", "/", "/user", "/users/", "//users"):
            self.assertIsNone(self.router.find(path), path)

    def test_two_thousand_random_paths(self):
        dice = random.Random(7)
        for _ in range(2000):
            number, key = dice.randrange(10**6), dice.choice("abcdef")
            _, names = self.router.find(f"/users/{number}/keys/{key}")
            self.assertEqual(names, {"id": str(number), "key": key})

    def test_three_hundred_routes(self):
        for n in range(300):
            self.router.add(f"/r{n}/{{id}}", n)
        for n in range(0, 300, 3):
            self.assertEqual(self.router.find(f"/r{n}/x"), (n, {"id": "x"}))
