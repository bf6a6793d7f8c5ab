"""Cases of a test that the default run leaves out: those before them cover the same code, or parts of it each."""

import pytest


def slow(*values):
  return pytest.param(*values, marks=pytest.mark.slow)
