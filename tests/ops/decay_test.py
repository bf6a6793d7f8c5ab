"""Triangles of decays are products, whatever the decays."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import decay
from tests.checks import assert_close, assert_finite

pytestmark = pytest.mark.usefixtures('x64')
CHUNK = 7


def products(a):
  """prod_{j=i+1..t} a_j, one by one."""
  out = np.zeros((*a.shape, a.shape[-1]))
  for t in range(a.shape[-1]):
    for i in range(t + 1):
      out[..., t, i] = np.prod(a[..., i + 1:t + 1], axis=-1)
  return out


@pytest.mark.parametrize('form', [decay.triangle, decay.triangle_in_turn])
def test_triangle_is_products(form):
  a = np.random.default_rng(0).uniform(0.01, 1, (2, 3, CHUNK))
  assert_close(form(jnp.log(a)), products(a))


def test_triangle_equals_in_turn_with_gradients():
  log_a = -np.random.default_rng(0).exponential(size=(2, CHUNK))
  score = lambda form: jax.jit(jax.value_and_grad(lambda l: jnp.sum(jnp.sin(form(l)))))(log_a)
  assert_close(score(decay.triangle), score(decay.triangle_in_turn))


@jax.jit
@functools.partial(jax.value_and_grad, has_aux=True)
def total(log_a):
  triangle = decay.triangle(log_a)
  return jnp.sum(triangle), triangle


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('extreme', [0.0, -1e-30, -50.0, -800.0, -1e30, -np.inf])
def test_extreme_decays_are_finite_and_leave_their_neighbours_alone(extreme, dtype):
  log_a = np.log(np.full(CHUNK, 0.5, dtype))
  log_a[3] = extreme
  (_, triangle), slope = total(log_a)
  # Running sums of up to 40 hold their differences to 40 roundings of the type.
  want = products(np.exp(log_a.astype('float64')))
  np.testing.assert_allclose(triangle, want, atol=1e-16, rtol=40 * np.finfo(dtype).eps)
  assert_finite((triangle, slope))
  assert_finite(total(np.full(CHUNK, extreme, dtype)))


def test_within_chunks_keeps_documents_apart():
  a = np.random.default_rng(1).uniform(0.1, 1, (2, 3, CHUNK, 2))
  reset = np.random.default_rng(2).uniform(size=(2, 3, CHUNK)) < 0.3
  l, m = decay.within_chunks(jnp.log(a), jnp.asarray(reset))
  for row, chunk, head in np.ndindex(2, 3, 2):
    own, cuts = a[row, chunk, :, head], reset[row, chunk]
    for t in range(CHUNK):
      assert_close(m[row, chunk, head, t], 0.0 if cuts[:t + 1].any() else np.prod(own[:t + 1]))
      for i in range(CHUNK):
        seen = i <= t and not cuts[i + 1:t + 1].any()
        assert_close(l[row, chunk, head, t, i], np.prod(own[i + 1:t + 1]) if seen else 0.0)
