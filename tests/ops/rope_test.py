"""Rotary positions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from latentmem.ops import rope
from tests.checks import assert_close

pytestmark = pytest.mark.usefixtures('x64')


def draw(seed):
  return jax.random.normal(jax.random.key(seed), (2, 5, 3, 6), jnp.float64)


def test_each_pair_turns_by_its_own_angle():
  x, position = np.asarray(draw(0)), np.array([[0, 1, 2, 3, 50], [7, 0, 1, 0, 9]])
  want = np.zeros_like(x)
  for b, t, h, i in np.ndindex(2, 5, 3, 3):
    angle = position[b, t] * 100.0 ** (-2 * i / 6)
    turned = complex(x[b, t, h, i], x[b, t, h, i + 3]) * np.exp(1j * angle)
    want[b, t, h, i], want[b, t, h, i + 3] = turned.real, turned.imag
  assert_close(rope.rotate(x, position, base=100.0), want)


def test_products_depend_on_the_distance_alone():
  q, k, place = draw(0), draw(1), jnp.array([[3, 1, 4, 1, 5], [9, 2, 6, 5, 3]])
  dot = lambda shift: jnp.sum(rope.rotate(q, place + shift) * rope.rotate(k, 2 * place + shift), -1)
  assert_close(dot(1000), dot(0))
  assert np.abs(np.asarray(dot(0) - jnp.sum(q * k, -1))).max() > 0.1


def test_type_stays():
  assert rope.rotate(draw(0).astype(jnp.bfloat16), jnp.zeros((2, 5), jnp.int32)).dtype == jnp.bfloat16
