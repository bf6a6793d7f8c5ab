"""Running products against groups worked out by other means."""

import itertools

import numpy as np
import pytest

from latentmem import tasks
from latentmem.base.errors import InputError
from latentmem.tasks import word_problem

ORDERS = dict(S3=6, S4=24, S5=120, A5=60, Z60=60)


def matrices(group):
  """The elements as permutation matrices (rows times matrix moves), or as powers of one root of unity."""
  if group == 'Z60':
    return [np.array([[np.exp(2j * np.pi * i / 60)]]) for i in range(60)]
  return [np.eye(len(p))[list(p)] for p in word_problem.elements(group)]


@pytest.mark.parametrize('group', ORDERS)
def test_the_table_is_the_product_of_matrices(group):
  table, forms = word_problem.table(group), matrices(group)
  assert table.shape == (ORDERS[group],) * 2 and len({f.round(6).tobytes() for f in forms}) == ORDERS[group]
  for x, y in itertools.islice(itertools.product(range(len(forms)), repeat=2), 0, None, 7):
    np.testing.assert_allclose(forms[x] @ forms[y], forms[table[x, y]], atol=1e-9)


@pytest.mark.parametrize('group', ORDERS)
def test_two_elements_generate_the_group(group):
  table, reached = word_problem.table(group), {0}
  while (more := reached | {int(table[x, g]) for x in reached for g in word_problem.generators(group)}) != reached:
    reached = more
  assert len(reached) == ORDERS[group]


@pytest.mark.parametrize('group', ['A5', 'Z60'])
def test_no_group_is_another(group):
  """A5 does not commute, Z60 does."""
  table = word_problem.table(group)
  assert (table == table.T).all() == (group == 'Z60')


@pytest.mark.parametrize('inputs', ['all', 'generators'])
@pytest.mark.parametrize('group', ORDERS)
def test_every_token_asks_for_the_product_so_far(group, inputs):
  task = tasks.make('word_problem', group=group, length=20, inputs=inputs)
  forms, seen = matrices(group), set()
  for i in range(60):
    tokens_T, targets_T, weights_T = task.draw(np.random.default_rng(i))
    seen |= set(tokens_T.tolist())
    product = np.eye(len(forms[0]))
    for token, target in zip(tokens_T, targets_T):
      product = product @ forms[token]
      np.testing.assert_allclose(product, forms[target], atol=1e-9)
    assert (weights_T == 1).all()
  assert seen == set(range(task.vocab) if inputs == 'all' else word_problem.generators(group))


def test_training_lengths_vary_and_held_out_ones_do_not():
  task = tasks.make('word_problem', group='S3', length=9, shortest=4)
  sizes = {int(task.draw(np.random.default_rng(i)).weights_T.sum()) for i in range(100)}
  assert sizes == set(range(4, 10))
  assert {int(task.hardest().draw(np.random.default_rng(i)).weights_T.sum()) for i in range(20)} == {9}


@pytest.mark.parametrize('fields, says', [
    (dict(group='S6'), 'S5'), (dict(inputs='generator'), "did you mean 'generators'"),
    (dict(shortest=40), 'shortest=40'),
    (dict(length=0), 'length=0')])
def test_what_does_not_fit_is_refused(fields, says):
  with pytest.raises(InputError, match=says):
    tasks.make('word_problem', **fields)


def test_training_lengths_grow_by_the_number_of_the_example():
  task = tasks.make('word_problem', group='S3', length=8, grow=16)
  size = lambda i: int(task.draw_at(np.random.default_rng(i), i).weights_T.sum())
  assert [size(i) for i in (0, 1, 2, 8, 14, 15, 100)] == [1, 1, 2, 5, 8, 8, 8]
  assert task.hardest().draw(np.random.default_rng(0)).weights_T.sum() == 8
