"""Nothing is kept, learned or answered."""

import jax
import jax.numpy as jnp
import numpy as np

from latentmem import memory


def test_keeps_learns_and_answers_nothing():
  cell = memory.make('none', width=4)
  x = jax.random.normal(jax.random.key(0), (2, 7, 4), jnp.bfloat16)
  state = cell.apply({}, 2, method='init_state')
  assert not jax.tree.leaves(state)
  assert not jax.tree.leaves(cell.init(jax.random.key(0), state, x))
  for parallel in (True, False):
    end, y = cell.apply({}, state, x, parallel=parallel)
    assert end == state
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, np.zeros_like(x))
