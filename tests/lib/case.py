# SPDX-License-Identifier: LGPL-2.1-or-later
"""What integration tests import beside the host: how they say what they need.

A test is a function test_*(host) in tests/integration/test_*.py. It gets a host of its
own, booted for it alone, once for every release.
"""

import unittest

_case = unittest.TestCase()
_case.maxDiff = None

# Unlike a bare assert they show both values, and a diff where that helps.
equal = _case.assertEqual
contains = _case.assertIn
contains_not = _case.assertNotIn
matches = _case.assertRegex
raises = _case.assertRaises


class Skip(Exception):
    """Raised by a test that cannot run here, with the reason."""


def releases(*names):
    """Run the test on hosts of these Debian releases only."""

    def mark(function):
        function.releases = names
        return function

    return mark


def no_host(function):
    """The test takes no host, and runs once."""
    function.no_host = True
    return function
