"""The train state is found whole, and the axis of rows in every carry."""

import jax
import pytest

from latentmem.train import state as states
from launch import parts
from tests.train import small


@pytest.mark.parametrize('memory', ['linear', 'delta', 'titans', 'none'])
def test_rows_are_found_in_every_carry(memory):
  fields = dict(compose=dict(kind='mag', heads=1, window=4))
  if memory == 'none':
    fields['memory'] = dict(kind='none')
  model = parts.build(small.config(memory=memory, model_fields=fields)).model
  state = jax.eval_shape(lambda key: states.create(model, states.optax.identity(), 5, key), jax.random.key(0))
  axes = states.batch_axes(model, state.params)
  for leaf, axis in zip(jax.tree.leaves(state.carry), jax.tree.leaves(axes), strict=True):
    assert axis < 0 or leaf.shape[axis] == 5
  assert any(axis >= 0 for axis in jax.tree.leaves(axes))


def test_a_seed_is_a_state():
  model = parts.build(small.config()).model
  create = jax.jit(lambda key: states.create(model, states.optax.identity(), 2, key))
  a, b, c = (create(jax.random.key(seed)) for seed in (0, 0, 1))
  assert small.same(a, b) and not small.same(a.params, c.params)
