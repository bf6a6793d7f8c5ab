"""Brakes at a chunk's end: sizes bounded, singular values levelled, first sizes restored."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import chunk_ends
from tests.checks import assert_close, assert_finite

pytestmark = pytest.mark.usefixtures('x64')


def matrices(*shape, seed=0):
  return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def test_a_small_change_passes_a_bound_and_a_large_one_meets_it():
  small, large = 1e-6 * matrices(2, 3, 4, 5), 1e6 * matrices(2, 3, 4, 5)
  assert_close(chunk_ends.bounded(small, 0.5), small)
  assert_close(chunk_ends.size(chunk_ends.bounded(large, 0.5)), np.full((2, 3, 1, 1), 0.5))


@pytest.mark.parametrize('shape', [(4, 9), (9, 4)])
def test_orthogonal_levels_singular_values_and_keeps_the_size(shape):
  change = matrices(2, *shape)
  level = chunk_ends.orthogonal(change, 8)
  spread = lambda a: (lambda s: s[:, 0] / s[:, -1])(np.linalg.svd(a, compute_uv=False))
  assert_close(chunk_ends.size(level), chunk_ends.size(change))
  # The quintic leaves every singular value within about a third of 1.
  assert (spread(level) < 2).all() and (spread(change) > 2).all()


def test_renormalised_weights_have_their_first_size():
  anchor, weights, start = ((matrices(1, 2, 4, 5, seed=s),) for s in range(3))
  got, = chunk_ends.turned(anchor, weights, start, 0, 0, True)
  assert_close(chunk_ends.size(got), chunk_ends.size(start[0]))


def test_no_change_has_finite_gradients():
  zero = jnp.zeros((1, 1, 3, 3))
  slope = lambda end: jax.grad(lambda c: jnp.sum(end(c)))(zero)
  for end in (lambda c: chunk_ends.orthogonal(c, 3), lambda c: chunk_ends.bounded(c, 1.0), chunk_ends.size):
    assert_finite(slope(end))
