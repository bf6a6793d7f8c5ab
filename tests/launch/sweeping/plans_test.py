"""Lists of runs are what their words say."""

import pytest

from latentmem.base.errors import InputError
from launch.sweeping import plans


def test_every_combination_and_value_by_value():
  assert plans.grid({'a': (1, 2), 'b': 'xy'}) == [
      dict(a=1, b='x'), dict(a=1, b='y'), dict(a=2, b='x'), dict(a=2, b='y')]
  assert plans.zipped({'a': (1, 2), 'b': 'xy'}) == [dict(a=1, b='x'), dict(a=2, b='y')]
  assert plans.crossed([dict(a=1), dict(a=2)], [dict(b=3)], [{}]) == [dict(a=1, b=3), dict(a=2, b=3)]


def test_draws_repeat_and_stay_between():
  fields = {'rate': plans.log_between(1e-4, 1e-2), 'share': plans.between(0, 1), 'kind': plans.one_of(['a', 'b'])}
  runs = plans.sampled(50, fields)
  assert runs == plans.sampled(50, fields) != plans.sampled(50, fields, seed=1)
  assert all(1e-4 <= run['rate'] <= 1e-2 and 0 <= run['share'] <= 1 for run in runs)
  assert {run['kind'] for run in runs} == {'a', 'b'} and sum(run['rate'] < 1e-3 for run in runs) in range(12, 39)


def test_lists_that_do_not_fit_are_refused():
  with pytest.raises(InputError, match="one length, not {'a': 1, 'b': 2}"):
    plans.zipped({'a': (1,), 'b': (1, 2)})
  with pytest.raises(InputError, match='sweep set a'):
    plans.crossed([dict(a=1)], [dict(a=2)])
