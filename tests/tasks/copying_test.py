"""Copying asks for the symbols in their order, and shows them nowhere else."""

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError


@pytest.mark.parametrize('selective', [True, False])
def test_the_answer_is_the_symbols_in_order(selective):
  task = tasks.make('copying', vocab=10, length=40, symbols=6, selective=selective)
  places = np.zeros(34, int)
  for i in range(200):
    tokens_T, targets_T, weights_T = task.draw(np.random.default_rng(i))
    stretch_T = tokens_T[:34]
    at = np.flatnonzero(stretch_T)
    places[at] += 1
    assert stretch_T[at].tolist() == targets_T[34:].tolist() and stretch_T[at].min() >= 2 and stretch_T.max() < 10
    assert (tokens_T[34:] == 1).all() and weights_T.tolist() == [0.0] * 34 + [1.0] * 6
  assert (places > 0).all() if selective else (places[:6] == 200).all() and (places[6:] == 0).all()


def test_all_symbols_are_drawn():
  task = tasks.make('copying', vocab=10, length=40, symbols=6)
  seen = np.concatenate([task.draw(np.random.default_rng(i)).targets_T[34:] for i in range(200)])
  assert set(seen.tolist()) == set(range(2, 10))


@pytest.mark.parametrize('fields, says', [
    (dict(vocab=2), 'at least 3'), (dict(length=31), '32'), (dict(symbols=0), 'symbols')])
def test_what_does_not_fit_is_refused(fields, says):
  with pytest.raises(InputError, match=says):
    tasks.make('copying', **fields)
