"""python3 -m unittest: tests the text of a response."""

import unittest

from answer import answer


class Answer(unittest.TestCase):
    def test_the_path(self) -> None:
        self.assertEqual(answer("/a/path"), "Hello from __NAME__: /a/path\n")
