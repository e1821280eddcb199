"""The texts of errors."""

import unittest

from acme.errors import ERRORS


class ErrorsTest(unittest.TestCase):
    def test_codes_are_errors(self):
        for code in ERRORS:
            self.assertTrue(400 <= code < 600, code)

    def test_texts_are_sentences(self):
        for code, text in ERRORS.items():
            self.assertTrue(text[0].isupper() and text.endswith("."), code)

    def test_codes_are_in_order(self):
        self.assertEqual(list(ERRORS), sorted(ERRORS))
