"""Small things done to arrays keep rows apart and leave types alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.base import arrays


def test_pick_takes_named_rows_of_every_leaf():
  new = dict(a=jnp.ones((3, 2, 2)), b=(jnp.ones(3, jnp.int32),))
  old = dict(a=jnp.zeros((3, 2, 2)), b=(jnp.zeros(3, jnp.int32),))
  picked = arrays.pick(jnp.array([True, False, True]), new, old)
  np.testing.assert_array_equal(picked['a'], old['a'].at[jnp.array([0, 2])].set(1))
  np.testing.assert_array_equal(picked['b'][0], [1, 0, 1])
  assert picked['b'][0].dtype == jnp.int32


def test_pick_chooses_by_row_and_token_too():
  choose = np.array([[True, False], [False, False]])
  np.testing.assert_array_equal(arrays.pick(choose, jnp.ones((2, 2, 3)), jnp.zeros((2, 2, 3))).sum(-1), 3 * choose)


def test_pick_stops_nan_in_values_and_gradients():
  def score(x):
    return jnp.sum(arrays.pick(jnp.array([True, False]), x, jnp.zeros_like(x)))
  value, slope = jax.value_and_grad(score)(jnp.array([[2.0], [np.nan]]))
  assert value == 2
  np.testing.assert_array_equal(slope, [[1], [0]])


def test_at_takes_places_of_each_row_of_every_leaf():
  a = np.arange(24.0).reshape(2, 3, 4)
  taken = arrays.at(jnp.array([[2, 0], [1, 1]]), (a, a[..., 0].astype(np.int32), None))
  np.testing.assert_array_equal(taken[0], np.stack([a[0][[2, 0]], a[1][[1, 1]]]))
  np.testing.assert_array_equal(taken[1], [[8, 0], [16, 16]])
  assert taken[1].dtype == jnp.int32 and taken[2] is None


def test_bytes_and_count_of_arrays_and_shapes():
  tree = dict(a=np.zeros((2, 3), np.float32), b=[np.zeros((), np.int8), np.zeros((0, 5), np.float64)])
  for it in (tree, jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), tree)):
    assert arrays.bytes_of(it) == 25
    assert arrays.count_of(it) == 7
  assert arrays.bytes_of(jax.ShapeDtypeStruct((2,), jnp.bfloat16)) == 4
  assert arrays.bytes_of(()) == 0


def test_real_first_keeps_the_order_of_what_it_moves():
  mask = jnp.array([[False, True, False, True], [False] * 4, [True] * 4])
  np.testing.assert_array_equal(arrays.real_first(mask), [[1, 3, 0, 2], [0, 1, 2, 3], [0, 1, 2, 3]])


def test_the_last_real_token_is_found_in_every_row():
  x = jnp.arange(24).reshape(2, 4, 3)
  np.testing.assert_array_equal(arrays.last(x), x[:, 3])
  mask = jnp.array([[True, False, True, False], [True, False, False, False]])
  np.testing.assert_array_equal(arrays.last(x, mask), jnp.stack([x[0, 2], x[1, 0]]))


@pytest.mark.parametrize('choose', [[0] * 5, [1] * 5, [0, 1, 0, 0, 1]])
def test_few_rows_picked_are_rows_picked_with_the_same_gradients(choose):
  rng = np.random.default_rng(0)
  old, new = ({name: jnp.asarray(rng.normal(size=shape), jnp.float32) for name, shape in dict(a=(5, 3), b=(5,)).items()}
              for _ in range(2))
  choose_B = jnp.array(choose, bool)

  def score(pick, new, old):
    return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(pick(choose_B, new, old)))

  def both(pick):
    return pick(choose_B, new, old), jax.jit(jax.grad(lambda *trees: score(pick, *trees), (0, 1)))(new, old)
  jax.tree.map(np.testing.assert_array_equal, both(arrays.pick_few), both(arrays.pick))
