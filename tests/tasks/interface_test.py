"""Promises every task keeps."""

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.spans import THOUGHT
from latentmem.tasks import chains

DRAWN = [kind for kind in tasks.kinds() if tasks.find(kind).draws]


@pytest.mark.parametrize('kind', DRAWN)
def test_an_example_is_a_function_of_its_generator(kind):
  task, again = tasks.make(kind), tasks.make(kind)
  for i in range(5):
    first = task.draw(np.random.default_rng(i))
    task.draw(np.random.default_rng(99))
    for a, b in zip(first, again.draw(np.random.default_rng(i))):
      np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('kind', DRAWN)
def test_an_example_has_its_shapes_and_types(kind):
  task = tasks.make(kind)
  example = task.draw(np.random.default_rng(0))
  assert [a.shape for a in example] == [(task.length,)] * 3
  assert [a.dtype for a in example] == [np.int32, np.int32, np.float32]
  # Rows of spans may hold numbers that are no token's: fillings below 0, and behind the words those of persons.
  spans = isinstance(task, chains.Chains) or kind == 'persona'
  assert example.tokens_T.min() >= (THOUGHT if spans else 0) and example.targets_T.min() >= 0
  assert example.tokens_T.max() < task.vocab + getattr(task, 'people', 0) and example.targets_T.max() < task.vocab
  assert example.weights_T.sum() > 0


@pytest.mark.parametrize('kind', DRAWN)
def test_a_perfect_model_scores_one_and_a_silent_one_zero(kind):
  task = tasks.make(kind)
  examples = [task.draw(np.random.default_rng(i)) for i in range(4)]
  tokens, targets, weights = (np.stack(a) for a in zip(*examples))
  reset = np.zeros(tokens.shape, bool)
  reset[:, 0] = True
  batch = dict(tokens_BT=tokens, targets_BT=targets, weights_BT=weights, reset_BT=reset, position_BT=tokens)
  for predicted, want in ((targets, 1), (np.full_like(targets, -1), 0)):
    scorer = task.scorer()
    scorer.add(batch, np.zeros(tokens.shape), predicted)
    assert scorer.result()['accuracy'] == scorer.result()['exact'] == want
