"""The inverse by blocks is the inverse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import triangular
from tests.checks import assert_close

pytestmark = pytest.mark.usefixtures('x64')


@pytest.mark.parametrize('size', [1, 2, 3, 8, 13])
def test_equals_forward_substitution_with_gradients(size):
  a = np.tril(np.random.default_rng(0).normal(size=(2, 3, size, size)), -1)
  def score(form):
    def number(a):
      out = form(jnp.tril(a, -1))
      return jnp.sum(jnp.sin(out)), out
    return jax.jit(jax.value_and_grad(number, has_aux=True))(a)
  fast = score(triangular.unit_lower_inverse)
  assert_close(fast, score(triangular.unit_lower_inverse_in_turn))
  assert_close(fast[0][1], np.linalg.inv(np.eye(size) + a))


def test_one_key_again_and_again_loses_nothing_in_float32():
  """All ones below the diagonal: powers of A reach 1e18 here, the inverse holds only 1 and -1."""
  size = 64
  inverse = jax.jit(triangular.unit_lower_inverse)(np.tril(np.ones((size, size), 'float32'), -1))
  np.testing.assert_allclose(inverse, np.eye(size) - np.eye(size, k=-1), atol=1e-6)
