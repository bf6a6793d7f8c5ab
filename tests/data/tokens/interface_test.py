"""Bytes of tokens add up to the text's."""

import numpy as np
import pytest

from latentmem.data.tokens import interface


@pytest.mark.parametrize('total, ends, want', [
    (5, [2, 5], [2, 3]), (5, [2, 4], [2, 3]), (6, [0, 2, 2, 6], [0, 2, 0, 4]), (4, [3, 1, 4], [3, 0, 1]), (0, [], [])])
def test_sizes_add_up(total, ends, want):
  sizes = interface.sizes(total, ends)
  np.testing.assert_array_equal(sizes, want)
  assert sizes.sum() == total
