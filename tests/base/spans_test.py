"""Spans are where they are said to be."""

import numpy as np

from latentmem.base import spans


def test_a_row_is_question_thoughts_and_rest():
  a_BTD = np.arange(2 * 9 * 3).reshape(2, 9, 3)
  parts = spans.split(a_BTD, 4, 2)
  assert [part.shape for part in parts] == [(2, 4, 3), (2, 2, 3), (2, 3, 3)]
  np.testing.assert_array_equal(np.concatenate(parts, 1), a_BTD)
  assert spans.split(a_BTD, 4, 0)[1].shape == (2, 0, 3)


def test_what_is_no_token_is_no_token_number():
  assert spans.NOTHING < 0 and spans.THOUGHT < 0 and spans.NOTHING != spans.THOUGHT
