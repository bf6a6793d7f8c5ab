"""A recurrence in any order of work is the recurrence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import scans
from tests.checks import assert_close, assert_finite

pytestmark = pytest.mark.usefixtures('x64')


@pytest.mark.parametrize('form', [scans.all_at_once, scans.in_blocks, scans.by_halves])
@pytest.mark.parametrize('length', [1, 2, 13, 64])
@pytest.mark.parametrize('wide', [True, False])
def test_every_form_equals_in_turn_with_gradients(form, length, wide):
  rng = np.random.default_rng(0)
  a = rng.uniform(size=(2, length, 3, 4 if wide else 1))
  # Decays of exactly 0 and 1 are decays too.
  a[:, 0, 0], a[:, -1, 1] = 0, 1
  b, h = rng.normal(size=(2, length, 3, 4)), rng.normal(size=(2, 3, 4))
  def score(form):
    def number(a, b, h):
      out = form(a, b, h)
      return jnp.sum(jnp.sin(out)), out
    return jax.jit(jax.value_and_grad(number, argnums=(0, 1, 2), has_aux=True))(a, b, h)
  fast, plain = score(form), score(scans.in_turn)
  assert_close(fast, plain)
  assert_finite(fast)


def test_in_turn_equals_a_loop():
  a, b = np.random.default_rng(1).normal(size=(2, 2, 7, 3))
  h = np.ones((2, 3))
  got = scans.in_turn(a, b, h)
  for t in range(7):
    h = a[:, t] * h + b[:, t]
    assert_close(got[:, t], h)
