"""The gated delta rule in chunks is the gated delta rule."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import delta
from tests.checks import assert_close, assert_finite

pytestmark = pytest.mark.usefixtures('x64')
BATCH, LENGTH, HEADS, KEY, VALUE, CHUNK = 2, 12, 2, 3, 5, 4


def draw(decay=None, write=None, same_keys=False):
  rng = np.random.default_rng(0)
  s = rng.normal(size=(BATCH, HEADS, KEY, VALUE))
  q, k = rng.normal(size=(2, BATCH, LENGTH, HEADS, KEY))
  k /= np.linalg.norm(k, axis=-1, keepdims=True)
  if same_keys:
    k[:] = k[:, :1]
  v = rng.normal(size=(BATCH, LENGTH, HEADS, VALUE))
  log_a = np.log(rng.uniform(0.3, 1, size=(BATCH, LENGTH, HEADS)))
  b = rng.uniform(size=(BATCH, LENGTH, HEADS))
  if decay is not None:
    log_a[:, 2::3] = decay
  if write is not None:
    b[:, 1::2] = write
  return (s, q, k, v, log_a, b), rng.uniform(size=(BATCH, LENGTH)) < 0.2


@functools.partial(jax.jit, static_argnums=0)
def score(form, arrays, reset):
  def number(arrays):
    s, y = form(*arrays, reset)
    return jnp.sum(jnp.sin(y)) + jnp.sum(jnp.cos(s)), (s, y)
  return jax.value_and_grad(number, has_aux=True)(arrays)


def chunked(*inputs):
  return delta.delta_chunked(*inputs, chunk=CHUNK)


@pytest.mark.parametrize('extremes', [
    dict(), dict(same_keys=True), dict(decay=0.0, write=1.0), dict(decay=-1e-30, write=0.0), dict(decay=-90.0),
    dict(decay=-1e30, write=1.0), dict(decay=0.0, write=1.0, same_keys=True)], ids=str)
def test_chunked_equals_in_turn_with_gradients(extremes):
  arrays, reset = draw(**extremes)
  fast, plain = score(chunked, arrays, reset), score(delta.delta_in_turn, arrays, reset)
  assert_close(fast, plain)
  assert_finite(fast)


def test_in_turn_equals_the_equation():
  """The paper's eq. 10, S as it stands there: values by keys."""
  (s, q, k, v, log_a, b), reset = draw()
  end, y = delta.delta_in_turn(s, q, k, v, log_a, b, reset)
  for row, h in np.ndindex(BATCH, HEADS):
    own = s[row, h].T
    for t in range(LENGTH):
      own = np.zeros_like(own) if reset[row, t] else own
      key, write = k[row, t, h], b[row, t, h]
      own = own @ (np.exp(log_a[row, t, h]) * (np.eye(KEY) - write * np.outer(key, key)))
      own = own + write * np.outer(v[row, t, h], key)
      assert_close(y[row, t, h], own @ q[row, t, h])
    assert_close(end[row, h], own.T)


def test_a_key_written_in_full_gives_its_value_back():
  """b = 1, |k| = 1, no decay: reading with the key right after writing returns the value, whatever was there."""
  (s, _, k, v, log_a, b), reset = draw()
  _, y = jax.jit(chunked)(s, k, k, v, np.zeros_like(log_a), np.ones_like(b), reset)
  assert_close(y, v)


def test_a_drive_of_zeros_moves_nothing():
  (s, *drive), reset = draw()
  nothing = jax.tree.map(np.zeros_like, drive)
  for form in (chunked, delta.delta_in_turn):
    end, _ = jax.jit(form)(s, *nothing, np.zeros_like(reset))
    np.testing.assert_array_equal(end, s)
