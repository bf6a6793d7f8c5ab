"""Linear attention in chunks is linear attention."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import linear
from tests.checks import assert_close, assert_finite

pytestmark = pytest.mark.usefixtures('x64')
BATCH, LENGTH, HEADS, KEY, VALUE, CHUNK = 2, 12, 2, 3, 5, 4


def draw(extreme=None):
  rng = np.random.default_rng(0)
  s = rng.normal(size=(BATCH, HEADS, KEY, VALUE))
  q, k = rng.normal(size=(2, BATCH, LENGTH, HEADS, KEY))
  v = rng.normal(size=(BATCH, LENGTH, HEADS, VALUE))
  log_a = np.log(rng.uniform(0.3, 1, size=(BATCH, LENGTH, HEADS)))
  if extreme is not None:
    log_a[:, 2::3] = extreme
  return (s, q, k, v, log_a), rng.uniform(size=(BATCH, LENGTH)) < 0.2


@functools.partial(jax.jit, static_argnums=0)
def score(form, arrays, reset):
  def number(arrays):
    s, y = form(*arrays, reset)
    return jnp.sum(jnp.sin(y)) + jnp.sum(jnp.cos(s)), (s, y)
  return jax.value_and_grad(number, has_aux=True)(arrays)


def chunked(*inputs):
  return linear.linear_chunked(*inputs, chunk=CHUNK)


@pytest.mark.parametrize('extreme', [None, 0.0, -1e-30, -90.0, -1e30])
def test_chunked_equals_in_turn_with_gradients(extreme):
  arrays, reset = draw(extreme)
  fast, plain = score(chunked, arrays, reset), score(linear.linear_in_turn, arrays, reset)
  assert_close(fast, plain)
  assert_finite(fast)


def test_in_turn_equals_the_sum_it_stands_for():
  """y_t = sum_{i<=t} (prod_{j=i+1..t} a_j) (q_t.k_i) v_i over the document, and what the first state still gives."""
  (s, q, k, v, log_a), reset = draw()
  end, y = linear.linear_in_turn(s, q, k, v, log_a, reset)
  a = np.exp(log_a)
  for b, t, h in np.ndindex(BATCH, LENGTH, HEADS):
    starts = np.flatnonzero(reset[b, :t + 1])
    want = np.zeros(VALUE) if len(starts) else np.prod(a[b, :t + 1, h]) * q[b, t, h] @ s[b, h]
    for i in range(starts[-1] if len(starts) else 0, t + 1):
      want = want + np.prod(a[b, i + 1:t + 1, h]) * (q[b, t, h] @ k[b, i, h]) * v[b, i, h]
    assert_close(y[b, t, h], want)


def test_a_drive_of_zeros_moves_nothing():
  (s, *drive), reset = draw()
  nothing = jax.tree.map(np.zeros_like, drive)
  for form in (chunked, linear.linear_in_turn):
    end, _ = jax.jit(form)(s, *nothing, np.zeros_like(reset))
    np.testing.assert_array_equal(end, s)
