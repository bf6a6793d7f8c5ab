"""Several descendants become one by a stated rule, or are refused with what they disagree on."""

import numpy as np
import pytest

from latentmem.bank import merging
from latentmem.base.errors import InputError

A, B, C = (np.full((2, 3), n, np.float32) for n in (1, 2, 6))
N, M = np.array([1, 2]), np.array([1, 3])


def merged(sides, parent, rule='refuse'):
  return merging.merged(sides, parent, rule, 'the arrays', 'x@1 and y@1', merging.same_array)


def same(got, **want):
  return got.keys() == want.keys() and all(merging.same_array(got[name], want[name]) for name in want)


@pytest.mark.parametrize('rule', merging.RULES)
def test_what_one_side_changed_is_taken_whatever_the_rule(rule):
  parent = dict(x=A, n=N, left=B, old=A)
  left, right = dict(parent, left=C), dict(parent, x=B, new=C)
  right.pop('old')
  assert same(merged([left, right], parent, rule), x=B, n=N, left=C, new=C)
  assert same(merged([dict(parent, x=B), dict(parent, x=B.copy())], parent, rule), **parent | dict(x=B))
  assert same(merged([parent, dict(parent)], None, rule), **parent)


def test_what_both_changed_is_for_the_rule():
  parent, sides = dict(x=A, n=N), [dict(x=B, n=N), dict(x=C, n=N)]
  with pytest.raises(InputError, match=r"x@1 and y@1 have changed the arrays \['x'\] differently since their common"):
    merged(sides, parent)
  assert same(merged(sides, parent, 'newest'), x=C, n=N)
  assert same(merged(sides, parent, 'mean'), x=np.full((2, 3), 4, np.float32), n=N)
  # Three sides of which one changed nothing: it has no part in the mean.
  assert same(merged([*sides, parent], parent, 'mean'), x=np.full((2, 3), 4, np.float32), n=N)
  # Two that agree weigh as two.
  assert same(merged([*sides, sides[0]], parent, 'mean'), x=((B + B + C) / 3).astype(np.float32), n=N)


def test_without_a_parent_everything_that_differs_is_in_conflict():
  with pytest.raises(InputError, match=r"\['only', 'x'\] differently and have no common parent that is still there"):
    merged([dict(x=A, n=N), dict(x=B, n=N, only=C)], None)
  assert same(merged([dict(x=A, n=N, gone=C), dict(x=B, n=N)], None, 'newest'), x=B, n=N)


@pytest.mark.parametrize('left, right', [
    (N, M), (A, A.astype(np.float64) + 1), (A, np.ones((3, 2), np.float32)), (A, None),
    (np.array([True]), np.array([False]))])
def test_a_mean_is_of_floats_of_equal_shapes(left, right):
  sides = [{} if side is None else dict(x=side) for side in (left, right)]
  with pytest.raises(InputError, match=r"\['x'\].*mean takes floats of equal shapes"):
    merged(sides, None, 'mean')


def test_a_removal_and_a_change_are_in_conflict():
  with pytest.raises(InputError, match=r"\['x'\]"):
    merged([{}, dict(x=B)], dict(x=A))
  assert same(merged([dict(x=B), {}], dict(x=A), 'newest'))


def test_means_of_narrow_floats_are_added_in_float64():
  big = np.full(3, 60000, np.float16)
  assert same(dict(x=merging.mean([big, big, big])), x=big)


def test_numbers_that_are_equal_but_not_the_same_are_changes():
  assert not merging.same_array(np.array([0.0]), np.array([-0.0]))
  assert merging.same_array(np.array([np.nan]), np.array([np.nan]))
  assert not merging.same_array(np.zeros(2), np.zeros((2, 1)))


def test_an_unknown_rule_is_refused():
  with pytest.raises(InputError, match="no rule 'means'"):
    merged([dict(x=A), dict(x=B)], None, 'means')
